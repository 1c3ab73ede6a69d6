// Kernel entries: the driver's argument buffer is unpacked by the kernel's own signature.
#pragma once

template <size_t... I> struct emulator_seq {};
template <size_t N, size_t... I> struct emulator_make_seq : emulator_make_seq<N - 1, N - 1, I...> {};
template <size_t... I> struct emulator_make_seq<0, I...> { typedef emulator_seq<I...> type; };
template <class... A> struct emulator_layout {
    static constexpr size_t size_[] = {sizeof(A)..., 0}, align_[] = {alignof(A)..., 1};
    static constexpr size_t offset(size_t i) {
        size_t o = 0;
        for (size_t k = 0;; ++k) {
            o = (o + align_[k] - 1) / align_[k] * align_[k];
            if (k == i) return o;
            o += size_[k];
        }
    }
};
template <class... A, size_t... I>
EMULATOR_NOSAN static inline void emulator_call(void (*f)(A...), const char *p, emulator_seq<I...>) {
    f(*(const A *)(p + emulator_layout<A...>::offset(I))...);
}
template <class... A> EMULATOR_NOSAN static inline void emulator_unpack(void (*f)(A...), const void *p) {
    emulator_call(f, (const char *)p, typename emulator_make_seq<sizeof...(A)>::type());
}
template <class S, class... A> struct emulator_table;
template <size_t... I, class... A> struct emulator_table<emulator_seq<I...>, A...> {
    static constexpr emulator_param v[] = {{(unsigned)emulator_layout<A...>::offset(I), (unsigned)sizeof(A)}..., {0, 0}};
};
#ifdef __SANITIZE_THREAD__
#define EMULATOR_CHECKED 1
#else
#define EMULATOR_CHECKED 0
#endif
template <class... A> static constexpr emulator_kernel_info emulator_info(void (*)(A...), emulator_entry e, int max_threads) {
    return {e, emulator_layout<A...>::offset(sizeof...(A)), (unsigned)sizeof...(A), emulator_table<typename emulator_make_seq<sizeof...(A)>::type, A...>::v,
            EMULATOR_CHECKED, max_threads};
}
#define EMULATOR_EXPORT(kernel, max_threads)                                                                        \
    EMULATOR_NOSAN static void emulator_entry_##kernel(const void *p) { emulator_unpack(kernel, p); }                         \
    extern "C" __attribute__((visibility("default"))) const emulator_kernel_info emulator_info_##kernel = emulator_info(kernel, emulator_entry_##kernel, max_threads);
