// Errors, devices, contexts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

namespace driver {

std::recursive_mutex mutex;
std::string detail;

long long setting(const char *name, long long otherwise) {
    const char *value = getenv(name);
    return value ? atoll(value) : otherwise;
}
int device_count() {
    static const int count = (int)setting("GRAPHC_TEST_DEVICES", 1);
    return count;
}
size_t memory_size() {
    static const size_t size = (size_t)setting("GRAPHC_TEST_MEMORY", 8ll << 30);
    return size;
}
static int capability() {
    static const int found = (int)setting("GRAPHC_TEST_CAPABILITY", 90);
    return found;
}

static std::set<Context *> &all() {
    static std::set<Context *> found;
    return found;
}
const std::set<Context *> &contexts() { return all(); }
static std::map<int, Context *> primary;
static std::map<int, int> retained;
static thread_local std::vector<Context *> stack;

Context *current() { return stack.empty() ? nullptr : stack.back(); }

static Context *make_context(int device) {
    Context *made = new Context;
    made->device = device;
    made->standard.context = made;
    all().insert(made);
    return made;
}

static const std::map<int, const char *> TEXTS = {
    {0, "no error"},
    {1, "invalid argument"},
    {2, "out of memory"},
    {34, "not provided by the stand-in driver"},
    {100, "no CUDA-capable device is detected"},
    {101, "invalid device ordinal"},
    {200, "device kernel image is invalid"},
    {201, "invalid device context"},
    {209, "no kernel image is available for execution on the device"},
    {400, "invalid resource handle"},
    {500, "named symbol not found"},
    {600, "device not ready"},
    {701, "too many resources requested for launch"},
    {900, "operation not permitted when stream is capturing"},
    {901, "operation failed due to a previous error during capture"},
};

static const std::map<int, int> ATTRIBUTES = {
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 232448},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 233472},
    {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 32},
    {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 132},
    {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 62914560},
    {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
    {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1980000},
    {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
};

}  // namespace driver

using namespace driver;

extern "C" {
CUresult cuInit(unsigned) { return device_count() ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE; }
CUresult cuDriverGetVersion(int *v) { *v = 13000; return CUDA_SUCCESS; }
CUresult cuGetErrorName(CUresult e, const char **s) {
    static thread_local char name[40];
    snprintf(name, sizeof name, "CUDA_ERROR_%d", (int)e);
    *s = name;
    return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult e, const char **s) {
    const auto found = TEXTS.find((int)e);
    *s = e == CUDA_ERROR_LAUNCH_FAILED ? detail.c_str() : found == TEXTS.end() ? "unknown error" : found->second;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *n) { *n = device_count(); return CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice *d, int i) {
    *d = i;
    return i < 0 || i >= device_count() ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char *s, int n, CUdevice) {
    snprintf(s, (size_t)n, "CPU stand-in (sm_%d)", capability());
    return CUDA_SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid *u, CUdevice d) {
    memset(u, 0, sizeof *u);
    u->bytes[15] = (char)(d + 1);
    return CUDA_SUCCESS;
}
CUresult cuDeviceTotalMem(size_t *n, CUdevice) { *n = memory_size(); return CUDA_SUCCESS; }
CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice) {
    *major = capability() / 10;
    *minor = capability() % 10;
    return CUDA_SUCCESS;
}
CUresult cuDeviceGetPCIBusId(char *s, int n, CUdevice d) {
    snprintf(s, (size_t)n, "0000:%02x:00.0", d);
    return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice) {
    const auto found = ATTRIBUTES.find(a);
    if (a == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) *v = capability() / 10;
    else if (a == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) *v = capability() % 10;
    else *v = found == ATTRIBUTES.end() ? 0 : found->second;
    return CUDA_SUCCESS;
}

CUresult cuCtxCreate(CUcontext *c, CUctxCreateParams *, unsigned, CUdevice d) {
    Guard guard;
    stack.push_back(make_context(d));
    *c = (CUcontext)stack.back();
    return CUDA_SUCCESS;
}
CUresult cuCtxDestroy(CUcontext c) {
    Guard guard;
    if (!stack.empty() && stack.back() == (Context *)c) stack.pop_back();
    // The object stays, for handles of its streams may be released later.
    return CUDA_SUCCESS;
}
CUresult cuCtxAttach(CUcontext *c, unsigned) {
    *c = (CUcontext)current();
    return current() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}
CUresult cuCtxDetach(CUcontext) { return CUDA_SUCCESS; }
CUresult cuCtxPushCurrent(CUcontext c) { stack.push_back((Context *)c); return CUDA_SUCCESS; }
CUresult cuCtxPopCurrent(CUcontext *c) {
    if (stack.empty()) return CUDA_ERROR_INVALID_CONTEXT;
    if (c) *c = (CUcontext)stack.back();
    stack.pop_back();
    return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext *c) { *c = (CUcontext)current(); return CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(CUcontext c) {
    if (!stack.empty()) stack.pop_back();
    if (c) stack.push_back((Context *)c);
    return CUDA_SUCCESS;
}
CUresult cuCtxGetDevice(CUdevice *d) {
    if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
    *d = current()->device;
    return CUDA_SUCCESS;
}
CUresult cuCtxGetApiVersion(CUcontext, unsigned *v) { *v = 13000; return CUDA_SUCCESS; }
CUresult cuCtxSynchronize(void) {
    Guard guard;
    if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
    return forbidden() ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : finish_device(current()->device);
}
CUresult cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice d) {
    Guard guard;
    if (d < 0 || d >= device_count()) return CUDA_ERROR_INVALID_DEVICE;
    if (!primary[d]) primary[d] = make_context(d);
    ++retained[d];
    *c = (CUcontext)primary[d];
    return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice d) { Guard guard; --retained[d]; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxGetState(CUdevice d, unsigned *flags, int *active) {
    Guard guard;
    *flags = 0;
    *active = retained[d] > 0;
    return CUDA_SUCCESS;
}
}
