// A stand-in for cuDNN on the stand-in driver: it looks at all that it is handed, and computes convolutions on the CPU
// when the stream comes to them. What the real library would not take is refused.
#include <cudnn.h>
#include <stdio.h>
#include <string.h>

#include <vector>

#include "../driver/floats.h"
#include "../driver/issue.h"

namespace {

constexpr size_t SPACE = 1 << 20;  // what the algorithms that need memory need
constexpr int MOST = 5;            // dimensions

struct Images {
    int type = -1, rank = 0, shape[MOST], strides[MOST];
};
struct Filter {
    int type = -1, rank = 0, shape[MOST];
    bool last = false;
};
struct How {
    int rank = 0, padding[3], stride[3], dilation[3], groups = 1, math = CUDNN_DEFAULT_MATH;
};
struct Handle {
    CUstream stream = nullptr;
};
struct Problem {
    Images x, y;
    Filter w;
    How how;
};
enum Kind { FORWARD, INPUT, WEIGHT };

cudnnStatus_t refused(const char *why) {
    fprintf(stderr, "stand-in for cuDNN: %s\n", why);
    return CUDNN_STATUS_BAD_PARAM;
}
bool is_known(int type) { return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16; }
driver::Float kind(int type) {
    return type == CUDNN_DATA_FLOAT ? driver::SINGLE : type == CUDNN_DATA_HALF ? driver::HALF : driver::BFLOAT;
}

// What is wrong with a problem.
const char *wrong(const Problem &p) {
    const Images &x = p.x, &y = p.y;
    const Filter &w = p.w;
    if (!is_known(x.type) || x.type != w.type || x.type != y.type) return "types";
    if (x.rank < 4 || x.rank != w.rank || x.rank != y.rank || p.how.rank != x.rank - 2) return "ranks";
    if (x.shape[0] != y.shape[0] || x.shape[1] != w.shape[1] * p.how.groups || y.shape[1] != w.shape[0]) return "channels";
    if (p.how.groups < 1 || w.shape[0] % p.how.groups) return "groups";
    for (int i = 0; i < p.how.rank; ++i) {
        const int reach = p.how.dilation[i] * (w.shape[2 + i] - 1) + 1;
        if (y.shape[2 + i] != (x.shape[2 + i] + 2 * p.how.padding[i] - reach) / p.how.stride[i] + 1) return "extents";
    }
    if (w.last && ((x.shape[1] > 1 && x.strides[1] != 1) || (y.shape[1] > 1 && y.strides[1] != 1)))
        return "channels of the weight alone side by side";
    if (x.type == CUDNN_DATA_FLOAT ? false : p.how.math == CUDNN_FMA_MATH) return "floats of two bytes without tensor cores";
    return nullptr;
}
size_t reach(const Images &x) {
    size_t last = 1;
    for (int i = 0; i < x.rank; ++i) last += (size_t)(x.shape[i] - 1) * x.strides[i];
    return last;
}
size_t count(const Filter &w) {
    size_t n = 1;
    for (int i = 0; i < w.rank; ++i) n *= w.shape[i];
    return n;
}
bool there(int type, const void *at, size_t elements) {
    const size_t size = driver::size_of(kind(type));
    return (uintptr_t)at % 16 == 0 && driver::inside((CUdeviceptr)at, elements * size);
}
size_t place(const Images &x, int image, int channel, const int *at) {
    size_t found = (size_t)image * x.strides[0] + (size_t)channel * x.strides[1];
    for (int i = 2; i < x.rank; ++i) found += (size_t)at[i - 2] * x.strides[i];
    return found;
}
size_t place(const Filter &w, int output, int channel, const int *at) {
    size_t found = w.last ? output : (size_t)output * w.shape[1] + channel;
    for (int i = 2; i < w.rank; ++i) found = found * w.shape[i] + at[i - 2];
    return w.last ? found * w.shape[1] + channel : found;
}
// The next indices; whether there are some.
bool next(int *at, const int *shape, int rank) {
    for (int i = rank - 1; i >= 0; --i) {
        if (++at[i] < shape[i]) return true;
        at[i] = 0;
    }
    return false;
}

// Each product of a tap goes to the sum that it belongs to.
void convolve(Kind which, const Problem &p, const char *x, const char *w, const char *y) {
    const driver::Float type = kind(p.x.type);
    const size_t size = driver::size_of(type), sizes[] = {reach(p.y), reach(p.x), count(p.w)};
    const bool tf32 = type == driver::SINGLE && p.how.math != CUDNN_FMA_MATH;
    std::vector<float> sums(sizes[which], 0);
    auto at = [&](const char *base, size_t i) {
        const float v = driver::widened(type, base + i * size);
        return tf32 ? driver::rounded(v, 13) : v;
    };
    const int inputs = p.w.shape[1], outputs = p.w.shape[0] / p.how.groups;
    for (int image = 0; image < p.x.shape[0]; ++image)
        for (int o = 0; o < p.w.shape[0]; ++o)
            for (int c = 0; c < inputs; ++c) {
                int pixel[3] = {}, tap[3] = {}, from[3];
                do {
                    do {
                        bool inside = true;
                        for (int i = 0; i < p.how.rank; ++i) {
                            from[i] = pixel[i] * p.how.stride[i] + tap[i] * p.how.dilation[i] - p.how.padding[i];
                            inside = inside && from[i] >= 0 && from[i] < p.x.shape[2 + i];
                        }
                        if (!inside) continue;
                        const size_t i = place(p.x, image, o / outputs * inputs + c, from), k = place(p.w, o, c, tap);
                        const size_t j = place(p.y, image, o, pixel);
                        if (which == FORWARD) sums[j] += at(x, i) * at(w, k);
                        if (which == INPUT) sums[i] += at(w, k) * at(y, j);
                        if (which == WEIGHT) sums[k] += at(x, i) * at(y, j);
                    } while (next(tap, p.w.shape + 2, p.how.rank));
                } while (next(pixel, p.y.shape + 2, p.how.rank));
            }
    if (which == WEIGHT) {
        for (size_t k = 0; k < sums.size(); ++k) driver::narrowed(type, (char *)w + k * size, sums[k]);
        return;
    }
    const Images &to = which == FORWARD ? p.y : p.x;
    char *out = (char *)(which == FORWARD ? y : x);
    for (int image = 0; image < to.shape[0]; ++image)
        for (int c = 0; c < to.shape[1]; ++c) {
            int pixel[3] = {};
            do {
                const size_t i = place(to, image, c, pixel);
                driver::narrowed(type, out + i * size, sums[i]);
            } while (next(pixel, to.shape + 2, p.how.rank));
        }
}

Problem problem(const void *x, const void *w, const void *y, const void *how) {
    return {*(const Images *)x, *(const Images *)y, *(const Filter *)w, *(const How *)how};
}
// The algorithms: those that graphc must not take first, then one with a workspace, then one without.
template <class Performance>
cudnnStatus_t listed(const Problem &p, int most, int *number, Performance *results, const std::vector<Performance> &all) {
    if (const char *why = wrong(p)) return refused(why);
    *number = 0;
    for (const Performance &x : all)
        if (*number < most) results[(*number)++] = x;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t run(Kind which, cudnnHandle_t handle, const Problem &p, const void *alpha, const void *beta, const void *x,
                  const void *w, const void *y, bool needs_space, void *space, size_t nbytes) {
    if (const char *why = wrong(p)) return refused(why);
    if (*(const float *)alpha != 1 || *(const float *)beta != 0) return refused("more than a convolution");
    if (!there(p.x.type, x, reach(p.x)) || !there(p.x.type, w, count(p.w)) || !there(p.x.type, y, reach(p.y)))
        return refused("memory that is not the device's, or less even than 16 bytes");
    if (needs_space && (nbytes < SPACE || (uintptr_t)space % 256 || !driver::inside((CUdeviceptr)space, SPACE)))
        return refused("a workspace");
    const CUresult failed = driver::issue(((Handle *)handle)->stream, [=]() -> CUresult {
        convolve(which, p, (const char *)x, (const char *)w, (const char *)y);
        if (needs_space) memset(space, 0x7f, SPACE);
        return CUDA_SUCCESS;
    });
    return failed ? refused("a stream") : CUDNN_STATUS_SUCCESS;
}
template <class T, class Opaque>
cudnnStatus_t create(Opaque *out) {
    *out = (Opaque) new T;
    return CUDNN_STATUS_SUCCESS;
}

}  // namespace

extern "C" {
size_t cudnnGetVersion(void) { return 91102; }
const char *cudnnGetErrorString(cudnnStatus_t) { return "refused by the stand-in"; }
cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
    return driver::current() ? create<Handle>(handle) : refused("no context");
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    ((Handle *)handle)->stream = (CUstream)stream;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *out) { return create<Images>(out); }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t x) { return delete (Images *)x, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t out, cudnnDataType_t type, int rank, const int shape[],
                                         const int strides[]) {
    Images &x = *(Images *)out;
    if (rank < 4 || rank > MOST) return refused("a rank");
    x.type = type, x.rank = rank;
    for (int i = 0; i < rank; ++i) {
        x.shape[i] = shape[i], x.strides[i] = strides[i];
        if (shape[i] < 1 || strides[i] < 1) return refused("an extent or a stride");
    }
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *out) { return create<Filter>(out); }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t x) { return delete (Filter *)x, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetFilterNdDescriptor(cudnnFilterDescriptor_t out, cudnnDataType_t type, cudnnTensorFormat_t format,
                                         int rank, const int shape[]) {
    Filter &x = *(Filter *)out;
    if (rank < 4 || rank > MOST) return refused("a rank");
    x.type = type, x.rank = rank, x.last = format == CUDNN_TENSOR_NHWC;
    for (int i = 0; i < rank; ++i) x.shape[i] = shape[i];
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *out) { return create<How>(out); }
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t x) {
    return delete (How *)x, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionNdDescriptor(cudnnConvolutionDescriptor_t out, int rank, const int padding[],
                                              const int stride[], const int dilation[], cudnnConvolutionMode_t mode,
                                              cudnnDataType_t sums) {
    How &x = *(How *)out;
    if (rank < 2 || rank > 3 || mode != CUDNN_CROSS_CORRELATION || sums != CUDNN_DATA_FLOAT) return refused("a convolution");
    x.rank = rank;
    for (int i = 0; i < rank; ++i) {
        x.padding[i] = padding[i], x.stride[i] = stride[i], x.dilation[i] = dilation[i];
        if (padding[i] < 0 || stride[i] < 1 || dilation[i] < 1) return refused("a step of the kernel");
    }
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t how, int groups) {
    ((How *)how)->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t how, cudnnMathType_t math) {
    ((How *)how)->math = math;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t x,
                                                     const cudnnFilterDescriptor_t w, const cudnnConvolutionDescriptor_t how,
                                                     const cudnnTensorDescriptor_t y, const int most, int *number,
                                                     cudnnConvolutionFwdAlgoPerf_t *results) {
    const cudnnMathType_t math = (cudnnMathType_t)((How *)how)->math;
    return listed<cudnnConvolutionFwdAlgoPerf_t>(
        problem(x, w, y, how), most, number, results,
        {{CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD, CUDNN_STATUS_SUCCESS, 1, 0, CUDNN_DETERMINISTIC, math},
         {CUDNN_CONVOLUTION_FWD_ALGO_GEMM, CUDNN_STATUS_SUCCESS, 1, (size_t)1 << 40, CUDNN_DETERMINISTIC, math},
         {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_STATUS_SUCCESS, 2, SPACE, CUDNN_DETERMINISTIC, math},
         {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, CUDNN_STATUS_SUCCESS, 3, 0, CUDNN_DETERMINISTIC, math},
         {CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, CUDNN_STATUS_NOT_SUPPORTED, -1, 0, CUDNN_DETERMINISTIC, math}});
}
cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t, const cudnnFilterDescriptor_t w,
                                                          const cudnnTensorDescriptor_t y,
                                                          const cudnnConvolutionDescriptor_t how,
                                                          const cudnnTensorDescriptor_t x, const int most, int *number,
                                                          cudnnConvolutionBwdDataAlgoPerf_t *results) {
    const cudnnMathType_t math = (cudnnMathType_t)((How *)how)->math;
    return listed<cudnnConvolutionBwdDataAlgoPerf_t>(
        problem(x, w, y, how), most, number, results,
        {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, CUDNN_STATUS_SUCCESS, 1, 0, CUDNN_NON_DETERMINISTIC, math},
         {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, CUDNN_STATUS_SUCCESS, 2, SPACE, CUDNN_DETERMINISTIC, math}});
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t x,
                                                            const cudnnTensorDescriptor_t y,
                                                            const cudnnConvolutionDescriptor_t how,
                                                            const cudnnFilterDescriptor_t w, const int most, int *number,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t *results) {
    const cudnnMathType_t math = (cudnnMathType_t)((How *)how)->math;
    return listed<cudnnConvolutionBwdFilterAlgoPerf_t>(
        problem(x, w, y, how), most, number, results,
        {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, CUDNN_STATUS_SUCCESS, 1, 0, CUDNN_NON_DETERMINISTIC, math},
         {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, CUDNN_STATUS_SUCCESS, 2, 0, CUDNN_DETERMINISTIC, math}});
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x_of,
                                      const void *x, const cudnnFilterDescriptor_t w_of, const void *w,
                                      const cudnnConvolutionDescriptor_t how, cudnnConvolutionFwdAlgo_t algorithm,
                                      void *space, size_t nbytes, const void *beta, const cudnnTensorDescriptor_t y_of,
                                      void *y) {
    const bool precomputed = algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    if (!precomputed && algorithm != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM) return refused("an algorithm");
    return run(FORWARD, handle, problem(x_of, w_of, y_of, how), alpha, beta, x, w, y, precomputed, space, nbytes);
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, const cudnnFilterDescriptor_t w_of,
                                           const void *w, const cudnnTensorDescriptor_t y_of, const void *y,
                                           const cudnnConvolutionDescriptor_t how,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void *space, size_t nbytes,
                                           const void *beta, const cudnnTensorDescriptor_t x_of, void *x) {
    if (algorithm != CUDNN_CONVOLUTION_BWD_DATA_ALGO_1) return refused("an algorithm");
    return run(INPUT, handle, problem(x_of, w_of, y_of, how), alpha, beta, x, w, y, true, space, nbytes);
}
cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x_of,
                                             const void *x, const cudnnTensorDescriptor_t y_of, const void *y,
                                             const cudnnConvolutionDescriptor_t how,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void *space, size_t nbytes,
                                             const void *beta, const cudnnFilterDescriptor_t w_of, void *w) {
    if (algorithm != CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1) return refused("an algorithm");
    return run(WEIGHT, handle, problem(x_of, w_of, y_of, how), alpha, beta, x, w, y, false, space, nbytes);
}
}
