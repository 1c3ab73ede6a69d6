// Warpgroups: wgmma over shared memory, of which descriptors say where tiles are. Each warp has its own 16 of 64 rows.
#pragma once

#define __cvta_generic_to_shared(p) emulator_shared_address(p)

struct emulator_tile {  // what a descriptor says; see the PTX ISA, "Matrix descriptor format"
    uint32_t start, leading, stride;
    bool turned;
    EMULATOR_NOSAN emulator_tile(uint64_t bits, bool t)
        : start((bits & 0x3fff) << 4), leading((bits >> 16 & 0x3fff) << 4), stride((bits >> 32 & 0x3fff) << 4), turned(t) {
        if (bits >> 62 != 1 || bits >> 49 & 7) emulator_error("wgmma: of descriptors, only a swizzle of 128 bytes with no base offset is modelled");
    }
    // The element of a row (or column) and of a place in the inner dimension.
    EMULATOR_NOSAN const char *at(int row, int k, int size) const {
        const int across = 128 / size;
        uint32_t place = turned ? start + row / across * leading + row % across * size + k / 8 * stride + k % 8 * 128
                                : start + row / 8 * stride + row % 8 * 128 + k * size;
        place ^= (place >> 7 & 7) << 4;
        return (const char *)emulator_shared_at(place);
    }
    EMULATOR_NOSAN uint32_t begin(int row) const { return turned ? start & ~127u : (start + row / 8 * stride) & ~127u; }
    EMULATOR_NOSAN uint32_t end(int row, int count, int size) const {
        const int last = (row + count - 1) * size / 128;
        return turned ? begin(0) + last * leading + 2 * stride : begin(row) + (count + 7) / 8 * stride;
    }
};
template <class T> EMULATOR_NOSAN static inline float emulator_element(const char *p) { T v; memcpy(&v, p, sizeof v); return (float)v; }
template <> EMULATOR_NOSAN inline float emulator_element<float>(const char *p) { float v; memcpy(&v, p, 4); return emulator_tf32_trunc(v); }

template <class T, int N> struct emulator_wgmma_job {
    enum { K = 32 / sizeof(T), PIECE = 16 / sizeof(T) };
    float (*total)[4];
    uint64_t a, b;
    bool turned_a, turned_b;
    // Rows of a tile as floats, a piece of 16 bytes noted at a time.
    template <int COUNT> EMULATOR_NOSAN static void read(float (*out)[K], const emulator_tile &tile, int first) {
        for (int i = 0; i < COUNT; ++i)
            for (int k = 0; k < K; ++k) {
                const char *p = tile.at(first + i, k, sizeof(T));
                if ((tile.turned ? i : k) % PIECE == 0) emulator_async_read(p, 16);
                out[i][k] = emulator_element<T>(p);
            }
    }
    EMULATOR_NOSAN static void perform(const emulator_product *x) {
        static thread_local float a[16][K], b[N][K], turned[K][N];
        read<16>(a, emulator_tile(x->a, x->turned_a), x->warp % 4 * 16);
        read<N>(b, emulator_tile(x->b, x->turned_b), 0);
        for (int k = 0; k < K; ++k)
            for (int j = 0; j < N; ++j) turned[k][j] = b[j][k];
        for (int i = 0; i < 16; ++i) {
            float sum[N] = {};
            for (int k = 0; k < K; ++k)
                for (int j = 0; j < N; ++j) sum[j] += a[i][k] * turned[k][j];
            for (int j = 0; j < N; ++j) ((float (*)[4])x->totals[i % 8 * 4 + j % 8 / 2])[j / 8][i / 8 * 2 + j % 2] += sum[j];
        }
    }
    EMULATOR_NOSAN static void run(void **args, unsigned present) {
        if (present != 0xffffffffu) { emulator_error("wgmma needs all 32 lanes (present: %08x)", present); return; }
        const emulator_wgmma_job *first = (const emulator_wgmma_job *)args[0];
        emulator_product made = {perform, {}, first->a, first->b, first->turned_a, first->turned_b};
        for (int l = 0; l < 32; ++l) {
            const emulator_wgmma_job *j = (const emulator_wgmma_job *)args[l];
            if (j->a != first->a || j->b != first->b) emulator_error("wgmma: lanes have different descriptors");
            made.totals[l] = j->total;
        }
        const emulator_tile a(made.a, made.turned_a), b(made.b, made.turned_b);
        const int row = emulator_warp_number() % 4 * 16;
        made.begin[0] = a.begin(row), made.end[0] = a.end(row, 16, sizeof(T));
        made.begin[1] = b.begin(0), made.end[1] = b.end(0, N, sizeof(T));
        emulator_product_begin(&made);
    }
};
template <class T, int N> static inline void emulator_wgmma(float (*total)[4], uint64_t a, uint64_t b, bool turned_a, bool turned_b) {
    emulator_wgmma_job<T, N> j{total, a, b, turned_a, turned_b};
    emulator_warp(0xffffffffu, emulator_wgmma_job<T, N>::run, &j, EMULATOR_MMA, 0);
}
EMULATOR_NOSAN static inline void emulator_arrive_do(void **, unsigned) { emulator_products_arrive(); }
EMULATOR_NOSAN static inline void emulator_commit_do(void **, unsigned) { emulator_products_commit(); }
EMULATOR_NOSAN static inline void emulator_finish_do(void **args, unsigned) { emulator_products_wait(*(int *)args[0]); }
static inline void emulator_warpgroup_arrive() { emulator_warp(0xffffffffu, emulator_arrive_do, nullptr, EMULATOR_OTHER, 1); }
static inline void emulator_warpgroup_commit() { emulator_warp(0xffffffffu, emulator_commit_do, nullptr, EMULATOR_OTHER, 2); }
static inline void emulator_warpgroup_wait(int groups) { emulator_warp(0xffffffffu, emulator_finish_do, &groups, EMULATOR_OTHER, 3); }
