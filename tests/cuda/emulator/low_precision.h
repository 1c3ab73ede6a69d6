// half and bfloat16, and asynchronous copies.
#pragma once

struct __align__(2) __half {
    uint16_t u;
    __half() = default;
    __half(float v) : u(emulator_bits<uint16_t>((_Float16)v)) {}
    __half(double v) : u(emulator_bits<uint16_t>((_Float16)v)) {}
    __half(int v) : __half((float)v) {}
    operator float() const { return (float)emulator_bits<_Float16>(u); }
};
struct __align__(2) __nv_bfloat16 {
    uint16_t u;
    __nv_bfloat16() = default;
    __nv_bfloat16(float v) {
        uint32_t b = emulator_bits<uint32_t>(v);
        u = (b & 0x7fffffffu) > 0x7f800000u ? 0x7fff : (uint16_t)((b + 0x7fffu + ((b >> 16) & 1)) >> 16);
    }
    __nv_bfloat16(double v) : __nv_bfloat16((float)v) {}
    __nv_bfloat16(int v) : __nv_bfloat16((float)v) {}
    operator float() const { return emulator_bits<float>((uint32_t)u << 16); }
};
typedef __half half;
typedef __nv_bfloat16 nv_bfloat16;
#define EMULATOR_HALF_OPS(T, P2)                                                                                       \
    static inline T operator+(T a, T b) { return T((float)a + (float)b); }                                        \
    static inline T operator-(T a, T b) { return T((float)a - (float)b); }                                        \
    static inline T operator*(T a, T b) { return T((float)a * (float)b); }                                        \
    static inline T operator/(T a, T b) { return T((float)a / (float)b); }                                        \
    static inline T &operator+=(T &a, T b) { return a = a + b; }                                                  \
    static inline T __hadd(T a, T b) { return a + b; }                                                            \
    static inline T __hsub(T a, T b) { return a - b; }                                                            \
    static inline T __hmul(T a, T b) { return a * b; }                                                            \
    static inline T __hdiv(T a, T b) { return a / b; }                                                            \
    static inline T __hfma(T a, T b, T c) { return T(fma((double)(float)a, (double)(float)b, (double)(float)c)); } \
    static inline T __hmax(T a, T b) { return T(fmaxf(a, b)); }                                                   \
    static inline T __hmin(T a, T b) { return T(fminf(a, b)); }                                                   \
    struct __align__(4) P2 { T x, y; };                                                                           \
    static inline P2 __hadd2(P2 a, P2 b) { return {a.x + b.x, a.y + b.y}; }                                       \
    static inline P2 __hmul2(P2 a, P2 b) { return {a.x * b.x, a.y * b.y}; }                                       \
    static inline P2 __hfma2(P2 a, P2 b, P2 c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; }         \
    static inline float __low2float(P2 a) { return a.x; }                                                         \
    static inline float __high2float(P2 a) { return a.y; }
EMULATOR_HALF_OPS(__half, __half2)
EMULATOR_HALF_OPS(__nv_bfloat16, __nv_bfloat162)
typedef __half2 half2;
typedef __nv_bfloat162 nv_bfloat162;
static inline float __half2float(__half v) { return v; }
static inline __half __float2half(float v) { return __half(v); }
static inline __half __float2half_rn(float v) { return __half(v); }
static inline __half2 __floats2half2_rn(float a, float b) { return {__half(a), __half(b)}; }
static inline __half2 __float22half2_rn(float2 v) { return {__half(v.x), __half(v.y)}; }
static inline float2 __half22float2(__half2 v) { return {v.x, v.y}; }
static inline unsigned short __half_as_ushort(__half v) { return v.u; }
static inline __half __ushort_as_half(unsigned short v) { __half h; h.u = v; return h; }
static inline float __bfloat162float(__nv_bfloat16 v) { return v; }
static inline __nv_bfloat16 __float2bfloat16(float v) { return __nv_bfloat16(v); }
static inline __nv_bfloat16 __float2bfloat16_rn(float v) { return __nv_bfloat16(v); }
static inline __nv_bfloat162 __floats2bfloat162_rn(float a, float b) { return {__nv_bfloat16(a), __nv_bfloat16(b)}; }
static inline float2 __bfloat1622float2(__nv_bfloat162 v) { return {v.x, v.y}; }

// ---- asynchronous copies (cuda_pipeline_primitives.h): done at the wait, so that a missing wait is seen
static inline void __pipeline_memcpy_async(void *dst, const void *src, size_t n, size_t zfill = 0) {
    if (((uintptr_t)dst | (uintptr_t)src) & (n - 1)) emulator_error("cp.async: pointers are not aligned to %zu bytes", n);
    emulator_async_copy(dst, src, (unsigned)n, (unsigned)(n - zfill));
}
static inline void __pipeline_commit() { emulator_async_commit(); }
static inline void __pipeline_wait_prior(int n) { emulator_async_wait(n); }
