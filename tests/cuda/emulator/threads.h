// What threads do together: barriers, shuffles, votes, atomic operations.
#pragma once

#define __syncthreads() ((void)emulator_barrier(0, 0, __LINE__))
#define __syncthreads_count(p) emulator_barrier(1, !!(p), __LINE__)
#define __syncthreads_and(p) emulator_barrier(2, !!(p), __LINE__)
#define __syncthreads_or(p) emulator_barrier(3, !!(p), __LINE__)
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __nanosleep(unsigned) {}
static inline long long clock64() { return 0; }
static inline void emulator_nothing(void **, unsigned) {}
static inline void emulator_syncwarp(int line, unsigned mask = 0xffffffffu) { emulator_warp(mask, emulator_nothing, nullptr, EMULATOR_SYNCWARP, line); }
#define __syncwarp(...) emulator_syncwarp(__LINE__, ##__VA_ARGS__)

template <class T> struct emulator_shfl_arg { T in, out; int sel, width; };
template <class T, int KIND> EMULATOR_NOSAN static void emulator_shfl_do(void **args, unsigned present) {
    for (int l = 0; l < 32; ++l) {
        if (!(present >> l & 1)) continue;
        emulator_shfl_arg<T> *a = (emulator_shfl_arg<T> *)args[l];
        const int w = a->width, seg = l & ~(w - 1);
        int j;
        if (KIND == 0) j = seg + (a->sel & (w - 1));
        else if (KIND == 1) j = l - a->sel < seg ? l : l - a->sel;
        else if (KIND == 2) j = l + a->sel >= seg + w ? l : l + a->sel;
        else j = (l ^ a->sel) >= seg + w ? l : l ^ a->sel;
        if (!(present >> j & 1)) {
            emulator_error("shuffle: lane %d reads lane %d, which does not take part", l, j);
            j = l;
        }
        a->out = ((emulator_shfl_arg<T> *)args[j])->in;
    }
}
template <int KIND, class T> static inline T emulator_shfl(int line, unsigned mask, T v, int sel, int width = 32) {
    emulator_shfl_arg<T> a{v, v, sel, width};
    emulator_warp(mask, emulator_shfl_do<T, KIND>, &a, EMULATOR_SHFL, line);
    return a.out;
}
#define __shfl_sync(...) emulator_shfl<0>(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) emulator_shfl<1>(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) emulator_shfl<2>(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) emulator_shfl<3>(__LINE__, __VA_ARGS__)
struct emulator_vote_arg { unsigned in, out; };
template <int KIND> EMULATOR_NOSAN static void emulator_vote_do(void **args, unsigned present) {
    unsigned r = 0;
    bool first = true;
    for (int l = 0; l < 32; ++l)
        if (present >> l & 1) {
            const unsigned v = ((emulator_vote_arg *)args[l])->in;
            if (KIND == 0) r |= (unsigned)(v != 0) << l;                                   // ballot
            else if (KIND == 1) r += v;                                                    // add
            else if (KIND == 2) r = first ? v : ((int)v > (int)r ? v : r);                 // signed max
            else if (KIND == 3) r = first ? v : ((int)v < (int)r ? v : r);                 // signed min
            else if (KIND == 4) r = first ? v : (v > r ? v : r);                           // unsigned max
            else if (KIND == 5) r = first ? v : (v < r ? v : r);                           // unsigned min
            else if (KIND == 6) r |= v;
            else if (KIND == 7) r = first ? v : r & v;
            first = false;
        }
    for (int l = 0; l < 32; ++l)
        if (present >> l & 1) ((emulator_vote_arg *)args[l])->out = r;
}
template <int KIND> static inline unsigned emulator_vote(int line, unsigned mask, unsigned v) {
    emulator_vote_arg a{v, 0};
    emulator_warp(mask, emulator_vote_do<KIND>, &a, EMULATOR_VOTE, line);
    return a.out;
}
#define __ballot_sync(mask, p) emulator_vote<0>(__LINE__, mask, !!(p))
#define __any_sync(mask, p) (emulator_vote<0>(__LINE__, mask, !!(p)) != 0)
#define __all_sync(mask, p) (emulator_vote<0>(__LINE__, mask, !(p)) == 0)
// The type of the operand says how it is compared.
template <int SIGNED, int UNSIGNED> static inline int emulator_reduce(int line, unsigned mask, int v) {
    return (int)emulator_vote<SIGNED>(line, mask, (unsigned)v);
}
template <int SIGNED, int UNSIGNED> static inline unsigned emulator_reduce(int line, unsigned mask, unsigned v) {
    return emulator_vote<UNSIGNED>(line, mask, v);
}
#define __reduce_add_sync(mask, v) emulator_reduce<1, 1>(__LINE__, mask, v)
#define __reduce_max_sync(mask, v) emulator_reduce<2, 4>(__LINE__, mask, v)
#define __reduce_min_sync(mask, v) emulator_reduce<3, 5>(__LINE__, mask, v)
#define __reduce_or_sync(mask, v) emulator_vote<6>(__LINE__, mask, v)
#define __reduce_and_sync(mask, v) emulator_vote<7>(__LINE__, mask, v)

// ---- atomics (relaxed, device scope)
template <class T, class I, class F> EMULATOR_NOSAN static inline T emulator_rmw(T *p, F f) {
    emulator_note(p, sizeof(T), 2);
    I old = __atomic_load_n((I *)p, __ATOMIC_RELAXED), want;
    do want = emulator_bits<I>(f(emulator_bits<T>(old)));
    while (!__atomic_compare_exchange_n((I *)p, &old, want, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    emulator_turn();
    return emulator_bits<T>(old);
}
#define EMULATOR_ATOMIC(T, I)                                                                                              \
    static inline T atomicAdd(T *p, T v) { return emulator_rmw<T, I>(p, [v](T o) { return (T)(o + v); }); }                \
    static inline T atomicMax(T *p, T v) { return emulator_rmw<T, I>(p, [v](T o) { return o < v ? v : o; }); }             \
    static inline T atomicMin(T *p, T v) { return emulator_rmw<T, I>(p, [v](T o) { return v < o ? v : o; }); }             \
    static inline T atomicExch(T *p, T v) { return emulator_rmw<T, I>(p, [v](T) { return v; }); }                          \
    static inline T atomicCAS(T *p, T c, T v) { return emulator_rmw<T, I>(p, [c, v](T o) { return o == c ? v : o; }); }
EMULATOR_ATOMIC(int, int) EMULATOR_ATOMIC(unsigned, unsigned) EMULATOR_ATOMIC(unsigned long long, unsigned long long)
EMULATOR_ATOMIC(float, unsigned) EMULATOR_ATOMIC(double, unsigned long long)
#define EMULATOR_ATOMIC_BITS(T)                                                                                    \
    static inline T atomicAnd(T *p, T v) { return emulator_rmw<T, T>(p, [v](T o) { return o & v; }); }                 \
    static inline T atomicOr(T *p, T v) { return emulator_rmw<T, T>(p, [v](T o) { return o | v; }); }                  \
    static inline T atomicXor(T *p, T v) { return emulator_rmw<T, T>(p, [v](T o) { return o ^ v; }); }
EMULATOR_ATOMIC_BITS(int) EMULATOR_ATOMIC_BITS(unsigned) EMULATOR_ATOMIC_BITS(unsigned long long)
static inline long long atomicMax(long long *p, long long v) {
    return emulator_rmw<long long, long long>(p, [v](long long o) { return o < v ? v : o; });
}
static inline long long atomicMin(long long *p, long long v) {
    return emulator_rmw<long long, long long>(p, [v](long long o) { return v < o ? v : o; });
}
static inline unsigned atomicInc(unsigned *p, unsigned m) {
    return emulator_rmw<unsigned, unsigned>(p, [m](unsigned o) { return o >= m ? 0u : o + 1; });
}
