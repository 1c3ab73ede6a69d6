// Tensor cores: wmma, and what templates wrap around inline PTX.
#pragma once

static inline float emulator_tf32_trunc(float v) { return emulator_bits<float>(emulator_bits<uint32_t>(v) & 0xffffe000u); }
namespace nvcuda {
namespace wmma {
struct matrix_a; struct matrix_b; struct accumulator; struct row_major; struct col_major;
enum layout_t { mem_row_major, mem_col_major };
namespace precision { struct tf32; }
template <class T> struct emulator_store { typedef T type; };
template <> struct emulator_store<precision::tf32> { typedef float type; };
template <class Use, int M, int N, int K> struct emulator_shape;
template <int M, int N, int K> struct emulator_shape<matrix_a, M, N, K> { enum { R = M, C = K }; };
template <int M, int N, int K> struct emulator_shape<matrix_b, M, N, K> { enum { R = K, C = N }; };
template <int M, int N, int K> struct emulator_shape<accumulator, M, N, K> { enum { R = M, C = N }; };
template <class L> struct emulator_is_col { enum { v = 0 }; };
template <> struct emulator_is_col<col_major> { enum { v = 1 }; };
// element e of lane l is element e * 32 + l of the tile in row order (CUDA leaves the layout open, so may code not rely on it)
template <class Use, int M, int N, int K, class T, class Layout = void> struct fragment {
    typedef typename emulator_store<T>::type element_type;
    typedef emulator_shape<Use, M, N, K> S;
    static constexpr int num_elements = S::R * S::C / 32;
    static constexpr int num_storage_elements = num_elements;
    element_type x[num_elements];
};
static inline int emulator_lane() { return (emulator_tls.tid.x + emulator_tls.bdim.x * (emulator_tls.tid.y + emulator_tls.bdim.y * emulator_tls.tid.z)) & 31; }
template <class F> static inline void fill_fragment(F &f, typename F::element_type v) {
    for (int e = 0; e < F::num_elements; ++e) f.x[e] = v;
}
template <class T> static inline void emulator_wmma_check(const T *p, unsigned ldm, const char *what) {
    if ((uintptr_t)p & 31) emulator_error("wmma %s: the pointer is not aligned to 32 bytes", what);
    if (ldm * sizeof(T) % 16) emulator_error("wmma %s: the leading dimension is not a multiple of 16 bytes", what);
}
template <class Use, int M, int N, int K, class T, class L, class P>
static inline void load_matrix_sync(fragment<Use, M, N, K, T, L> &f, const P *p, unsigned ldm) {
    typedef fragment<Use, M, N, K, T, L> F;
    emulator_wmma_check(p, ldm, "load");
    for (int e = 0, l = emulator_lane(); e < F::num_elements; ++e) {
        const int i = e * 32 + l, r = i / F::S::C, c = i % F::S::C;
        f.x[e] = emulator_is_col<L>::v ? p[(size_t)c * ldm + r] : p[(size_t)r * ldm + c];
    }
}
template <int M, int N, int K, class T, class P>
static inline void load_matrix_sync(fragment<accumulator, M, N, K, T> &f, const P *p, unsigned ldm, layout_t lay) {
    typedef fragment<accumulator, M, N, K, T> F;
    emulator_wmma_check(p, ldm, "load");
    for (int e = 0, l = emulator_lane(); e < F::num_elements; ++e) {
        const int i = e * 32 + l, r = i / N, c = i % N;
        f.x[e] = lay == mem_col_major ? p[(size_t)c * ldm + r] : p[(size_t)r * ldm + c];
    }
}
template <int M, int N, int K, class T, class P>
static inline void store_matrix_sync(P *p, const fragment<accumulator, M, N, K, T> &f, unsigned ldm, layout_t lay) {
    typedef fragment<accumulator, M, N, K, T> F;
    emulator_wmma_check(p, ldm, "store");
    for (int e = 0, l = emulator_lane(); e < F::num_elements; ++e) {
        const int i = e * 32 + l, r = i / N, c = i % N;
        p[lay == mem_col_major ? (size_t)c * ldm + r : (size_t)r * ldm + c] = f.x[e];
    }
}
template <class T> static inline float emulator_operand(const void *v) { return (float)*(const T *)v; }
template <> inline float emulator_operand<precision::tf32>(const void *v) { return emulator_tf32_trunc(*(const float *)v); }
template <class FD, class FA, class FB, class FC, class TA, class TB> struct emulator_mma_job {
    FD *d; const FA *a; const FB *b; const FC *c;
    EMULATOR_NOSAN static void run(void **args, unsigned present) {
        enum { M = FA::S::R, K = FA::S::C, N = FB::S::C };
        if (present != 0xffffffffu) { emulator_error("mma_sync needs all 32 lanes (present: %08x)", present); return; }
        float a[M][K], b[K][N], c[M][N];
        for (int l = 0; l < 32; ++l) {
            const emulator_mma_job *j = (const emulator_mma_job *)args[l];
            for (int e = 0; e < FA::num_elements; ++e) (&a[0][0])[e * 32 + l] = emulator_operand<TA>(&j->a->x[e]);
            for (int e = 0; e < FB::num_elements; ++e) (&b[0][0])[e * 32 + l] = emulator_operand<TB>(&j->b->x[e]);
            for (int e = 0; e < FC::num_elements; ++e) (&c[0][0])[e * 32 + l] = (float)j->c->x[e];
        }
        for (int i = 0; i < M; ++i)
            for (int k = 0; k < K; ++k)
                for (int n = 0; n < N; ++n) c[i][n] += a[i][k] * b[k][n];
        for (int l = 0; l < 32; ++l) {
            emulator_mma_job *j = (emulator_mma_job *)args[l];
            for (int e = 0; e < FD::num_elements; ++e) j->d->x[e] = (typename FD::element_type)(&c[0][0])[e * 32 + l];
        }
    }
};
template <int M, int N, int K, class TD, class TA, class LA, class TB, class LB, class TC>
static inline void emulator_mma_sync(int line, fragment<accumulator, M, N, K, TD> &d, const fragment<matrix_a, M, N, K, TA, LA> &a,
                                const fragment<matrix_b, M, N, K, TB, LB> &b, const fragment<accumulator, M, N, K, TC> &c) {
    typedef emulator_mma_job<fragment<accumulator, M, N, K, TD>, fragment<matrix_a, M, N, K, TA, LA>,
                        fragment<matrix_b, M, N, K, TB, LB>, fragment<accumulator, M, N, K, TC>, TA, TB> Job;
    Job j{&d, &a, &b, &c};
    emulator_warp(0xffffffffu, Job::run, &j, EMULATOR_MMA, line);
}
template <class... A> static inline void mma_sync(A &&...a) { emulator_mma_sync(0, a...); }
static inline float __float_to_tf32(float v) { return emulator_tf32_trunc(emulator_bits<float>(emulator_bits<uint32_t>(v) + 0x1000u)); }
}  // namespace wmma
}  // namespace nvcuda

// ---- tensor cores: what templates wrap around inline PTX ("#ifdef GRAPHC_CUDA_ON_CPU" picks these)
template <class T> struct emulator_mma16816_job {  // mma.sync.aligned.m16n8k16.row.col.f32.{f16,bf16}...f32
    float *d; const uint32_t *a, *b;
    EMULATOR_NOSAN static float get(uint32_t r, int hi) { uint16_t u = (uint16_t)(r >> (16 * hi)); T v; memcpy(&v, &u, 2); return (float)v; }
    EMULATOR_NOSAN static void run(void **args, unsigned present) {
        if (present != 0xffffffffu) { emulator_error("mma.sync needs all 32 lanes (present: %08x)", present); return; }
        float a[16][16], b[16][8], c[16][8];
        for (int l = 0; l < 32; ++l) {
            const emulator_mma16816_job *j = (const emulator_mma16816_job *)args[l];
            const int g = l >> 2, t = (l & 3) * 2;
            for (int h = 0; h < 2; ++h) {
                a[g][t + h] = get(j->a[0], h); a[g + 8][t + h] = get(j->a[1], h);
                a[g][t + 8 + h] = get(j->a[2], h); a[g + 8][t + 8 + h] = get(j->a[3], h);
                b[t + h][g] = get(j->b[0], h); b[t + 8 + h][g] = get(j->b[1], h);
                c[g][t + h] = j->d[h]; c[g + 8][t + h] = j->d[2 + h];
            }
        }
        for (int i = 0; i < 16; ++i)
            for (int k = 0; k < 16; ++k)
                for (int n = 0; n < 8; ++n) c[i][n] += a[i][k] * b[k][n];
        for (int l = 0; l < 32; ++l) {
            const emulator_mma16816_job *j = (const emulator_mma16816_job *)args[l];
            const int g = l >> 2, t = (l & 3) * 2;
            for (int h = 0; h < 2; ++h) { j->d[h] = c[g][t + h]; j->d[2 + h] = c[g + 8][t + h]; }
        }
    }
};
template <class T> static inline void emulator_mma_m16n8k16(float *d, const uint32_t *a, const uint32_t *b) {
    emulator_mma16816_job<T> j{d, a, b};
    emulator_warp(0xffffffffu, emulator_mma16816_job<T>::run, &j, EMULATOR_MMA, 0);
}
struct emulator_ldmatrix_job {  // ldmatrix.sync.aligned.m8n8.x{1,2,4}[.trans].shared.b16
    uint32_t *r; const void *row; int n, trans;
    EMULATOR_NOSAN static void run(void **args, unsigned present) {
        if (present != 0xffffffffu) { emulator_error("ldmatrix needs all 32 lanes (present: %08x)", present); return; }
        const int n = ((emulator_ldmatrix_job *)args[0])->n, trans = ((emulator_ldmatrix_job *)args[0])->trans;
        for (int m = 0; m < n; ++m) {
            uint16_t t[8][8];
            for (int i = 0; i < 8; ++i) {
                const void *p = ((emulator_ldmatrix_job *)args[m * 8 + i])->row;
                if ((uintptr_t)p & 15) emulator_error("ldmatrix: a row address is not aligned to 16 bytes");
                emulator_note(p, 16, 0);
                memcpy(t[i], p, 16);
            }
            for (int l = 0; l < 32; ++l) {
                const int g = l >> 2, c = (l & 3) * 2;
                const uint16_t lo = trans ? t[c][g] : t[g][c], hi = trans ? t[c + 1][g] : t[g][c + 1];
                ((emulator_ldmatrix_job *)args[l])->r[m] = (uint32_t)hi << 16 | lo;
            }
        }
    }
};
static inline void emulator_ldmatrix(uint32_t *r, const void *row, int n, bool trans) {
    emulator_ldmatrix_job j{r, row, n, trans};
    emulator_warp(0xffffffffu, emulator_ldmatrix_job::run, &j, EMULATOR_OTHER, 0);
}
struct emulator_mma1688_job {  // mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
    float *d; const uint32_t *a, *b;
    EMULATOR_NOSAN static void run(void **args, unsigned present) {
        if (present != 0xffffffffu) { emulator_error("mma.sync needs all 32 lanes (present: %08x)", present); return; }
        float a[16][8], b[8][8], c[16][8];
        for (int l = 0; l < 32; ++l) {
            const emulator_mma1688_job *j = (const emulator_mma1688_job *)args[l];
            const int g = l >> 2, t = l & 3;
            for (int h = 0; h < 2; ++h) {
                a[g][t + 4 * h] = emulator_tf32_trunc(emulator_bits<float>(j->a[2 * h]));
                a[g + 8][t + 4 * h] = emulator_tf32_trunc(emulator_bits<float>(j->a[2 * h + 1]));
                b[t + 4 * h][g] = emulator_tf32_trunc(emulator_bits<float>(j->b[h]));
                c[g][2 * t + h] = j->d[h]; c[g + 8][2 * t + h] = j->d[2 + h];
            }
        }
        for (int i = 0; i < 16; ++i)
            for (int k = 0; k < 8; ++k)
                for (int n = 0; n < 8; ++n) c[i][n] += a[i][k] * b[k][n];
        for (int l = 0; l < 32; ++l) {
            const emulator_mma1688_job *j = (const emulator_mma1688_job *)args[l];
            const int g = l >> 2, t = l & 3;
            for (int h = 0; h < 2; ++h) { j->d[h] = c[g][2 * t + h]; j->d[2 + h] = c[g + 8][2 * t + h]; }
        }
    }
};
static inline void emulator_mma_m16n8k8(float *d, const uint32_t *a, const uint32_t *b) {
    emulator_mma1688_job j{d, a, b};
    emulator_warp(0xffffffffu, emulator_mma1688_job::run, &j, EMULATOR_MMA, 0);
}
