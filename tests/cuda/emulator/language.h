// The language: qualifiers, indices, vector types, bits and integers, intrinsic functions.
#pragma once

#define threadIdx (emulator_tls.tid)
#define blockIdx (emulator_tls.bid)
#define blockDim (emulator_tls.bdim)
#define gridDim (emulator_tls.gdim)
static constexpr int warpSize = 32;

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __maxnreg__(n)
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __attribute__((aligned(n)))
// translation.py rewrites "__shared__ T a[N];" to EMULATOR_SHARED and "extern __shared__ T a[];" to EMULATOR_DYN_SHARED; this is for
// declarations it does not recognise (they work, without the fill, the bounds and the accounting)
#define __shared__ static thread_local
#define EMULATOR_SHARED(type, name, dims, alignment)                                                   \
    typedef type emulator_t_##name dims;                                                               \
    static const char emulator_id_##name = 0;                                                          \
    emulator_t_##name &name = *reinterpret_cast<emulator_t_##name *>(                                       \
        emulator_shared(&emulator_id_##name, sizeof(emulator_t_##name),                                          \
                   alignof(emulator_t_##name) > (alignment) ? alignof(emulator_t_##name) : (alignment), #name))
#define EMULATOR_DYN_SHARED(type, name) type *const name = reinterpret_cast<type *>(emulator_dyn_shared())

// ---- vector types
#define EMULATOR_VEC(T, N, AL2, AL4)                                     \
    struct __align__(AL2) N##2 { T x, y; };                         \
    struct N##3 { T x, y, z; };                                     \
    struct __align__(AL4) N##4 { T x, y, z, w; };                   \
    static inline N##2 make_##N##2(T x, T y) { return {x, y}; }     \
    static inline N##3 make_##N##3(T x, T y, T z) { return {x, y, z}; } \
    static inline N##4 make_##N##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMULATOR_VEC(signed char, char, 2, 4)
EMULATOR_VEC(unsigned char, uchar, 2, 4)
EMULATOR_VEC(short, short, 4, 8)
EMULATOR_VEC(unsigned short, ushort, 4, 8)
EMULATOR_VEC(int, int, 8, 16)
EMULATOR_VEC(float, float, 8, 16)
EMULATOR_VEC(long long, longlong, 16, 16)
EMULATOR_VEC(unsigned long long, ulonglong, 16, 16)
EMULATOR_VEC(double, double, 16, 16)
struct __align__(8) uint2 { unsigned x, y; };
struct __align__(16) uint4 { unsigned x, y, z, w; };
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// ---- bits and integers
template <class To, class From> static inline To emulator_bits(From v) {
    static_assert(sizeof(To) == sizeof(From), "");
    To r;
    memcpy(&r, &v, sizeof r);
    return r;
}
static inline int __float_as_int(float v) { return emulator_bits<int>(v); }
static inline unsigned __float_as_uint(float v) { return emulator_bits<unsigned>(v); }
static inline float __int_as_float(int v) { return emulator_bits<float>(v); }
static inline float __uint_as_float(unsigned v) { return emulator_bits<float>(v); }
static inline long long __double_as_longlong(double v) { return emulator_bits<long long>(v); }
static inline double __longlong_as_double(long long v) { return emulator_bits<double>(v); }
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
static inline int __clz(int v) { return v ? __builtin_clz((unsigned)v) : 32; }
static inline int __ffs(int v) { return __builtin_ffs(v); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
static inline int __mulhi(int a, int b) { return (int)(((long long)a * b) >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
static inline int __clzll(long long v) { return v ? __builtin_clzll((unsigned long long)v) : 64; }
static inline int __ffsll(long long v) { return __builtin_ffsll(v); }
static inline unsigned __brev(unsigned v) {
    unsigned r = 0;
    for (int i = 0; i < 32; ++i) r |= (v >> i & 1u) << (31 - i);
    return r;
}
static inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned s) {
    return (unsigned)((((unsigned long long)hi << 32 | lo) << (s & 31)) >> 32);
}
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s) {
    unsigned long long v = (unsigned long long)b << 32 | a;
    unsigned r = 0;
    for (int i = 0; i < 4; ++i) r |= (unsigned)((v >> (8 * ((s >> (4 * i)) & 7))) & 255) << (8 * i);
    return r;
}
#define EMULATOR_MINMAX(T)                                          \
    static inline T min(T a, T b) { return b < a ? b : a; }    \
    static inline T max(T a, T b) { return a < b ? b : a; }
EMULATOR_MINMAX(int) EMULATOR_MINMAX(unsigned) EMULATOR_MINMAX(long) EMULATOR_MINMAX(unsigned long) EMULATOR_MINMAX(long long)
EMULATOR_MINMAX(unsigned long long)
// what CUDA's own headers have for operands of two types; others are ambiguous there too
#define EMULATOR_MINMAX_MIXED(T, S)                                        \
    static inline T min(T a, S b) { return min(a, (T)b); }                 \
    static inline T min(S a, T b) { return min((T)a, b); }                 \
    static inline T max(T a, S b) { return max(a, (T)b); }                 \
    static inline T max(S a, T b) { return max((T)a, b); }
EMULATOR_MINMAX_MIXED(unsigned, int) EMULATOR_MINMAX_MIXED(unsigned long, long)
EMULATOR_MINMAX_MIXED(unsigned long long, long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }
EMULATOR_MINMAX_MIXED(double, float)

// ---- floating-point intrinsics (the fast ones are given their accurate value)
static inline float rsqrtf(float v) { return 1.0f / sqrtf(v); }
static inline double rsqrt(double v) { return 1.0 / sqrt(v); }
// macros, because glibc's math.h declares functions of these names
#define __expf(v) expf(v)
#define __exp10f(v) exp10f(v)
#define __logf(v) logf(v)
#define __log2f(v) log2f(v)
#define __log10f(v) log10f(v)
#define __sinf(v) sinf(v)
#define __cosf(v) cosf(v)
#define __tanf(v) tanf(v)
#define __powf(a, b) powf(a, b)
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __frcp_rn(float v) { return 1.0f / v; }
static inline float __fsqrt_rn(float v) { return sqrtf(v); }
static inline float __frsqrt_rn(float v) { return 1.0f / sqrtf(v); }
static inline float __fadd_rn(float a, float b) { volatile float r = a + b; return r; }
static inline float __fmul_rn(float a, float b) { volatile float r = a * b; return r; }
static inline float __fsub_rn(float a, float b) { volatile float r = a - b; return r; }
static inline double __dadd_rn(double a, double b) { volatile double r = a + b; return r; }
static inline double __dmul_rn(double a, double b) { volatile double r = a * b; return r; }
static inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
static inline float sinpif(float v) { return (float)sin(fmod((double)v, 2.0) * M_PI); }
static inline float cospif(float v) { return (float)cos(fmod((double)v, 2.0) * M_PI); }
static inline double normcdf(double v) { return 0.5 * erfc(-v * M_SQRT1_2); }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __saturatef(float v) { return v > 0.0f ? (v < 1.0f ? v : 1.0f) : 0.0f; }
static inline float normcdff(float v) { return 0.5f * erfcf(-v * 0.70710678f); }
static inline int __float2int_rn(float v) { return (int)rintf(v); }
static inline int __float2int_rz(float v) { return (int)v; }
static inline int __float2int_rd(float v) { return (int)floorf(v); }
static inline unsigned __float2uint_rn(float v) { return (unsigned)rintf(v); }
static inline float __int2float_rn(int v) { return (float)v; }
static inline float __uint2float_rn(unsigned v) { return (float)v; }
template <class T> static inline T __ldg(const T *p) { return *p; }
template <class T> static inline T __ldcg(const T *p) { return *p; }
template <class T> static inline T __ldcs(const T *p) { return *p; }
template <class T> static inline void __stcs(T *p, T v) { *p = v; }
template <class T> static inline void __stcg(T *p, T v) { *p = v; }
