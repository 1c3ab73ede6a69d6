// A stand-in for cuBLASLt on the stand-in driver: it looks at all that it is handed, and computes products on the CPU
// when the stream comes to them. What the real library would not take is refused, or ends the work with an error.
#include <cublasLt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <memory>
#include <vector>

#include "../driver/floats.h"
#include "../driver/issue.h"

namespace {

constexpr uint64_t MAGIC = 0x6772617068630001;  // of an algorithm, whose number comes next, and its problem's sizes
constexpr size_t SPACE = 1 << 20;               // what the second algorithm needs

struct Description {
    int compute, scale, turned[2] = {CUBLAS_OP_N, CUBLAS_OP_N}, epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void *bias = nullptr;
};
struct Layout {
    int type;
    uint64_t rows, columns;
    int64_t line, apart = 0;
    int batch = 1;
};
struct Preference {
    uint64_t workspace = 0;
    uint32_t scheme = 7, aligned[4] = {256, 256, 256, 256};
};
struct Problem {
    Description how;
    Layout a, b, d;
    uint64_t depth;
};

cublasStatus_t refused(const char *why) {
    fprintf(stderr, "stand-in for cuBLASLt: %s\n", why);
    return CUBLAS_STATUS_INVALID_VALUE;
}
template <class T>
cublasStatus_t put(T &field, const void *value, size_t size) {
    if (size != sizeof field) return refused("an attribute of another size");
    memcpy(&field, value, size);
    return CUBLAS_STATUS_SUCCESS;
}
bool is_known(int type) { return type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF; }
driver::Float kind(int type) {
    return type == CUDA_R_32F ? driver::SINGLE : type == CUDA_R_16F ? driver::HALF : driver::BFLOAT;
}
size_t size_of(int type) { return driver::size_of(kind(type)); }

// The problem that descriptors are of, or what is wrong with them.
const char *found(Problem &p, const Description *how, const Layout *a, const Layout *b, const Layout *c, const Layout *d) {
    p = {*how, *a, *b, *d, 0};
    const bool tf32 = how->compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    if (how->scale != CUDA_R_32F || (how->compute != CUBLAS_COMPUTE_32F && !tf32)) return "a type of sums";
    if (!is_known(a->type) || a->type != b->type || a->type != d->type) return "types of matrices";
    if (tf32 && a->type != CUDA_R_32F) return "tf32 of other numbers than floats";
    if (memcmp(c, d, sizeof *c)) return "another C than D";
    const uint64_t rows = how->turned[0] ? a->columns : a->rows, columns = how->turned[1] ? b->rows : b->columns;
    p.depth = how->turned[0] ? a->rows : a->columns;
    if (p.depth != (how->turned[1] ? b->columns : b->rows)) return "inner dimensions that differ";
    if (rows != d->rows || columns != d->columns) return "a result of another shape";
    for (const Layout *x : {a, b, d}) {
        if (!x->rows || !x->columns || x->line < (int64_t)x->rows) return "a leading dimension";
        if (x->batch != d->batch) return "batches that differ";
    }
    if (d->batch > 1 && d->apart < (int64_t)((d->columns - 1) * d->line + d->rows)) return "results that overlap";
    const int plain = how->epilogue & ~(CUBLASLT_EPILOGUE_BIAS | CUBLASLT_EPILOGUE_RELU | CUBLASLT_EPILOGUE_GELU);
    if (plain && how->epilogue != CUBLASLT_EPILOGUE_DEFAULT) return "an epilogue";
    if (how->epilogue & CUBLASLT_EPILOGUE_BIAS && !how->bias) return "no bias";
    return nullptr;
}
// Whether a matrix lies in the device's memory.
bool there(const Layout &x, const void *at) {
    const int64_t last = (x.batch - 1) * x.apart + (int64_t)(x.columns - 1) * x.line + (int64_t)x.rows;
    return driver::inside((CUdeviceptr)at, last * size_of(x.type));
}
float finished(const Problem &p, float sum, uint64_t row) {
    const int how = p.how.epilogue;
    if (how & CUBLASLT_EPILOGUE_BIAS) sum += driver::widened(kind(p.d.type), (const char *)p.how.bias + row * size_of(p.d.type));
    if (how & CUBLASLT_EPILOGUE_RELU) sum = sum > 0 ? sum : 0;
    if (how & CUBLASLT_EPILOGUE_GELU) sum *= 0.5f * (1 + tanhf(0.7978845608f * (sum + 0.044715f * sum * sum * sum)));
    return sum;
}
std::vector<float> gathered(const Layout &x, const char *at, int batch, bool tf32) {
    std::vector<float> all(x.rows * x.columns);
    for (uint64_t j = 0; j < x.columns; ++j)
        for (uint64_t i = 0; i < x.rows; ++i) {
            const float v = driver::widened(kind(x.type), at + (batch * x.apart + (int64_t)j * x.line + (int64_t)i) * size_of(x.type));
            all[j * x.rows + i] = tf32 ? driver::rounded(v, 13) : v;
        }
    return all;
}
void multiply(const Problem &p, const char *a, const char *b, char *d) {
    const bool tf32 = p.how.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    for (int batch = 0; batch < p.d.batch; ++batch) {
        const std::vector<float> x = gathered(p.a, a, batch, tf32), y = gathered(p.b, b, batch, tf32);
        for (uint64_t j = 0; j < p.d.columns; ++j)
            for (uint64_t i = 0; i < p.d.rows; ++i) {
                float sum = 0;
                for (uint64_t k = 0; k < p.depth; ++k)
                    sum += x[p.how.turned[0] ? i * p.a.rows + k : k * p.a.rows + i] *
                           y[p.how.turned[1] ? k * p.b.rows + j : j * p.b.rows + k];
                const int64_t at = batch * p.d.apart + (int64_t)j * p.d.line + (int64_t)i;
                driver::narrowed(kind(p.d.type), d + at * size_of(p.d.type), finished(p, sum, i));
            }
    }
}

}  // namespace

extern "C" {
cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    if (!driver::current()) return refused("no context");
    *handle = (cublasLtHandle_t) new int;
    return CUBLAS_STATUS_SUCCESS;
}
size_t cublasLtGetVersion(void) { return 130102; }
const char *cublasLtGetStatusString(cublasStatus_t) { return "refused by the stand-in"; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute, cudaDataType_t scale) {
    *out = (cublasLtMatmulDesc_t) new Description{compute, scale};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t x) { return delete (Description *)x, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t which,
                                              const void *value, size_t size) {
    Description &x = *(Description *)d;
    if (which == CUBLASLT_MATMUL_DESC_TRANSA) return put(x.turned[0], value, size);
    if (which == CUBLASLT_MATMUL_DESC_TRANSB) return put(x.turned[1], value, size);
    if (which == CUBLASLT_MATMUL_DESC_EPILOGUE) return put(x.epilogue, value, size);
    if (which == CUBLASLT_MATMUL_DESC_BIAS_POINTER) return put(x.bias, value, size);
    return refused("an attribute of a product");
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t rows, uint64_t columns,
                                          int64_t line) {
    *out = (cublasLtMatrixLayout_t) new Layout{type, rows, columns, line};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t x) { return delete (Layout *)x, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t which,
                                                const void *value, size_t size) {
    Layout &x = *(Layout *)layout;
    if (which == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT) return put(x.batch, value, size);
    if (which == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET) return put(x.apart, value, size);
    return refused("an attribute of a matrix");
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out) {
    *out = (cublasLtMatmulPreference_t) new Preference;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t x) {
    return delete (Preference *)x, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t which, const void *value,
                                                    size_t size) {
    Preference &x = *(Preference *)preference;
    if (which == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return put(x.workspace, value, size);
    if (which == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) return put(x.scheme, value, size);
    const int matrix = which - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
    return matrix >= 0 && matrix < 4 ? put(x.aligned[matrix], value, size) : refused("an attribute of a preference");
}

// Two algorithms, of which the second needs memory. Where addresses are less even than numbers there is none.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t how, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t results[], int *count) {
    Problem p;
    const Preference &wish = *(Preference *)preference;
    if (const char *why = found(p, (Description *)how, (Layout *)a, (Layout *)b, (Layout *)c, (Layout *)d))
        return refused(why);
    if (wish.scheme != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) return refused("parts of sums that are rounded");
    *count = 0;
    for (const uint32_t aligned : wish.aligned)
        if (aligned < size_of(p.d.type) || aligned > 16) return CUBLAS_STATUS_NOT_SUPPORTED;
    for (uint64_t number = 0; number < 2 && *count < most; ++number) {
        if (number && wish.workspace < SPACE) break;
        cublasLtMatmulHeuristicResult_t &x = results[(*count)++];
        x = {};
        const uint64_t least = wish.aligned[0] | (uint64_t)wish.aligned[1] << 16 | (uint64_t)wish.aligned[3] << 32;
        const uint64_t data[8] = {MAGIC, number, p.d.rows, p.d.columns, p.depth, least, 0, ~MAGIC};
        memcpy(x.algo.data, data, sizeof data);
        x.workspaceSize = number * SPACE;
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t how, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                              size_t workspace_size, cudaStream_t stream) {
    Problem p;
    if (const char *why = found(p, (Description *)how, (Layout *)a_layout, (Layout *)b_layout, (Layout *)c_layout,
                                (Layout *)d_layout))
        return refused(why);
    if (*(const float *)alpha != 1 || *(const float *)beta != 0 || c != d) return refused("more than a product");
    const uint64_t *data = algorithm->data;
    if (data[0] != MAGIC || data[7] != ~MAGIC || data[2] != p.d.rows || data[3] != p.d.columns || data[4] != p.depth)
        return refused("an algorithm of another problem");
    const uintptr_t addresses[] = {(uintptr_t)a, (uintptr_t)b, (uintptr_t)d};
    for (int i = 0; i < 3; ++i)
        if (addresses[i] % (data[5] >> 16 * i & 0xffff)) return refused("an address less even than was said");
    if (data[1] && (workspace_size < SPACE || (uintptr_t)workspace % 256 || !driver::inside((CUdeviceptr)workspace, SPACE)))
        return refused("a workspace");
    if (!there(p.a, a) || !there(p.b, b) || !there(p.d, d)) return refused("memory that is not the device's");
    const size_t bias = p.d.rows * size_of(p.d.type);
    if (p.how.epilogue & CUBLASLT_EPILOGUE_BIAS && !driver::inside((CUdeviceptr)p.how.bias, bias))
        return refused("a bias that is not the device's");
    const bool spoils = data[1];
    const CUresult failed = driver::issue((CUstream)stream, [=]() -> CUresult {
        multiply(p, (const char *)a, (const char *)b, (char *)d);
        if (spoils) memset(workspace, 0x7f, SPACE);
        return CUDA_SUCCESS;
    });
    return failed ? refused("a stream") : CUBLAS_STATUS_SUCCESS;
}
}
