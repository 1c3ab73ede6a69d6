// A libcuda.so.1 whose device is this machine's CPU: enough of the driver API for PyCUDA and for a graph compiler's
// run time (contexts, memory, copies, streams, events, modules, launches, stream capture and graphs). "Cubins" are
// shared libraries built by the emulator. Work is done at the call; a capturing stream records it instead. Entry points that
// are not here come from make_libcuda_stub.py (weak, and answer an error).
#include <cuda.h>
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>


#include "../emulator/interface.h"

namespace {
struct Op { std::function<CUresult()> run; };
struct Graph { std::vector<Op> ops; };
struct Stream { Graph *capture = nullptr; };
struct Event { double t = -1; };
struct Module { void *lib; std::string path; };
struct Func { emulator_kernel_info info; std::string name; int max_dyn = 48 << 10; };
struct Alloc { size_t size; char *map; size_t map_size; };

int the_ctx;
int depth = 0, retained = 0;
std::map<uintptr_t, Alloc> allocs;
size_t in_use = 0;
std::string detail;
Stream null_stream;
const size_t TOTAL = (size_t)8 << 30;

double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}
Stream *str(CUstream s) { return (uintptr_t)s <= 2 ? &null_stream : (Stream *)s; }
int env(const char *n, int d) { const char *v = getenv(n); return v ? atoi(v) : d; }

// every allocation ends at an inaccessible page (to 16 bytes), so that overruns fault even in unchecked kernels
CUresult alloc(CUdeviceptr *p, size_t n) {
    if (!n) return CUDA_ERROR_INVALID_VALUE;
    if (in_use + n > TOTAL) return CUDA_ERROR_OUT_OF_MEMORY;
    const size_t page = 4096, body = (n + 15) / 16 * 16, pages = (body + page - 1) / page * page + page;
    char *m = (char *)mmap(nullptr, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    mprotect(m + pages - page, page, PROT_NONE);
    // 256-byte alignment as the driver gives, unless GRAPHC_TEST_GUARD=1 asks for the tight fit
    char *at = m + pages - page - (env("GRAPHC_TEST_GUARD", 0) ? body : (body + 255) / 256 * 256);
    memset(at, 0xff, n);
    *p = (CUdeviceptr)at;
    allocs[*p] = Alloc{n, m, pages};
    in_use += n;
    emulator_region_add(at, n, 1);
    return CUDA_SUCCESS;
}
CUresult release(CUdeviceptr p) {
    if (!p) return CUDA_SUCCESS;
    auto it = allocs.find(p);
    if (it == allocs.end()) return CUDA_ERROR_INVALID_VALUE;
    emulator_region_del((void *)p);
    munmap(it->second.map, it->second.map_size);
    in_use -= it->second.size;
    allocs.erase(it);
    return CUDA_SUCCESS;
}
bool inside(CUdeviceptr p, size_t n) {
    auto it = allocs.upper_bound(p);
    if (it == allocs.begin()) return false;
    --it;
    return p + n <= it->first + it->second.size;
}
CUresult issue(CUstream s, std::function<CUresult()> f) {
    Stream *t = str(s);
    if (t->capture) {
        t->capture->ops.push_back({f});
        return CUDA_SUCCESS;
    }
    return f();
}
CUresult put(CUdeviceptr d, const void *s, size_t n) {
    if (!inside(d, n)) return CUDA_ERROR_INVALID_VALUE;
    memcpy((void *)d, s, n);
    emulator_region_init((void *)d, n);
    return CUDA_SUCCESS;
}
CUresult get(void *d, CUdeviceptr s, size_t n) {
    if (!inside(s, n)) return CUDA_ERROR_INVALID_VALUE;
    memcpy(d, (void *)s, n);
    return CUDA_SUCCESS;
}
CUresult move(CUdeviceptr d, CUdeviceptr s, size_t n) {
    if (!inside(d, n) || !inside(s, n)) return CUDA_ERROR_INVALID_VALUE;
    memmove((void *)d, (void *)s, n);
    emulator_region_init((void *)d, n);
    return CUDA_SUCCESS;
}
template <class T> CUresult fill(CUdeviceptr d, T v, size_t n) {
    if (!inside(d, n * sizeof(T))) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < n; ++i) ((T *)d)[i] = v;
    emulator_region_init((void *)d, n * sizeof(T));
    return CUDA_SUCCESS;
}
size_t elf_size(const char *b) {
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)b;
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_machine != EM_X86_64) return 0;
    size_t end = h->e_shoff + (size_t)h->e_shnum * h->e_shentsize;
    const Elf64_Shdr *s = (const Elf64_Shdr *)(b + h->e_shoff);
    for (int i = 0; i < h->e_shnum; ++i)
        if (s[i].sh_type != SHT_NOBITS && s[i].sh_offset + s[i].sh_size > end) end = s[i].sh_offset + s[i].sh_size;
    return end;
}
}  // namespace

extern "C" {
CUresult cuInit(unsigned) { return CUDA_SUCCESS; }
CUresult cuDriverGetVersion(int *v) { *v = 13000; return CUDA_SUCCESS; }
CUresult cuGetErrorName(CUresult e, const char **s) { static char b[40]; snprintf(b, sizeof b, "CUDA_ERROR_%d", (int)e); *s = b; return CUDA_SUCCESS; }
CUresult cuGetErrorString(CUresult e, const char **s) {
    static const std::map<int, const char *> text = {{0, "no error"}, {1, "invalid argument"}, {2, "out of memory"}, {200, "device kernel image is invalid"},
        {209, "no kernel image is available for execution on the device"}, {500, "named symbol not found"}, {701, "too many resources requested for launch"},
        {801, "operation not supported by the CPU stand-in"}, {34, "not provided by the CPU stand-in"}, {901, "operation failed due to a previous error during capture"}};
    auto it = text.find((int)e);
    *s = e == CUDA_ERROR_LAUNCH_FAILED ? detail.c_str() : it == text.end() ? "unknown error" : it->second;
    return CUDA_SUCCESS;
}

// ---- device and contexts
CUresult cuDeviceGetCount(int *n) { *n = 1; return CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice *d, int i) { *d = 0; return i ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS; }
CUresult cuDeviceGetName(char *s, int n, CUdevice) { snprintf(s, (size_t)n, "CPU stand-in (sm_%d)", env("GRAPHC_TEST_CC", 90)); return CUDA_SUCCESS; }
CUresult cuDeviceTotalMem(size_t *n, CUdevice) { *n = TOTAL; return CUDA_SUCCESS; }
CUresult cuDeviceComputeCapability(int *a, int *b, CUdevice) { *a = env("GRAPHC_TEST_CC", 90) / 10; *b = env("GRAPHC_TEST_CC", 90) % 10; return CUDA_SUCCESS; }
CUresult cuDeviceGetPCIBusId(char *s, int n, CUdevice) { snprintf(s, (size_t)n, "0000:00:00.0"); return CUDA_SUCCESS; }
CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice) {
    static const std::map<int, int> t = {
        {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024}, {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024}, {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
        {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64}, {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647}, {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
        {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535}, {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152},
        {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 232448}, {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 233472},
        {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32}, {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536}, {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
        {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048}, {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 32},
        {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 132}, {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 62914560}, {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
        {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1980000}, {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1}, {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1}};
    if (a == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) *v = env("GRAPHC_TEST_CC", 90) / 10;
    else if (a == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) *v = env("GRAPHC_TEST_CC", 90) % 10;
    else *v = t.count(a) ? t.at(a) : 0;
    return CUDA_SUCCESS;
}
CUresult cuCtxCreate(CUcontext *c, CUctxCreateParams *, unsigned, CUdevice) { *c = (CUcontext)&the_ctx; ++depth; return CUDA_SUCCESS; }
CUresult cuCtxDestroy(CUcontext) { return CUDA_SUCCESS; }
CUresult cuCtxAttach(CUcontext *c, unsigned) { *c = (CUcontext)&the_ctx; return CUDA_SUCCESS; }
CUresult cuCtxDetach(CUcontext) { return CUDA_SUCCESS; }
CUresult cuCtxPushCurrent(CUcontext) { ++depth; return CUDA_SUCCESS; }
CUresult cuCtxPopCurrent(CUcontext *c) { if (c) *c = (CUcontext)&the_ctx; --depth; return CUDA_SUCCESS; }
CUresult cuCtxGetCurrent(CUcontext *c) { *c = depth > 0 ? (CUcontext)&the_ctx : nullptr; return CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(CUcontext c) { depth = c ? depth > 0 ? depth : 1 : 0; return CUDA_SUCCESS; }
CUresult cuCtxGetDevice(CUdevice *d) { *d = 0; return depth > 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT; }
CUresult cuCtxGetApiVersion(CUcontext, unsigned *v) { *v = 13000; return CUDA_SUCCESS; }
CUresult cuCtxSynchronize(void) { return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice) { *c = (CUcontext)&the_ctx; ++retained; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxRelease(CUdevice) { --retained; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxGetState(CUdevice, unsigned *f, int *a) { *f = 0; *a = retained > 0; return CUDA_SUCCESS; }

// ---- memory
CUresult cuMemAlloc(CUdeviceptr *p, size_t n) { return alloc(p, n); }
CUresult cuMemFree(CUdeviceptr p) { return release(p); }
CUresult cuMemAllocAsync(CUdeviceptr *p, size_t n, CUstream) { return alloc(p, n); }
CUresult cuMemFreeAsync(CUdeviceptr p, CUstream s) { return issue(s, [=] { return release(p); }); }
CUresult cuMemAllocManaged(CUdeviceptr *p, size_t n, unsigned) { return alloc(p, n); }
CUresult cuMemGetInfo(size_t *f, size_t *t) { *t = TOTAL; *f = TOTAL - in_use; return CUDA_SUCCESS; }
CUresult cuMemGetAddressRange(CUdeviceptr *b, size_t *n, CUdeviceptr p) {
    auto it = allocs.upper_bound(p);
    if (it == allocs.begin()) return CUDA_ERROR_INVALID_VALUE;
    --it;
    if (b) *b = it->first;
    if (n) *n = it->second.size;
    return CUDA_SUCCESS;
}
CUresult cuMemHostAlloc(void **p, size_t n, unsigned) { return posix_memalign(p, 4096, n ? n : 1) ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS; }
CUresult cuMemFreeHost(void *p) { free(p); return CUDA_SUCCESS; }
CUresult cuMemHostGetDevicePointer(CUdeviceptr *d, void *p, unsigned) { *d = (CUdeviceptr)p; return CUDA_SUCCESS; }
CUresult cuMemHostGetFlags(unsigned *f, void *) { *f = 0; return CUDA_SUCCESS; }
CUresult cuMemHostRegister(void *, size_t, unsigned) { return CUDA_SUCCESS; }
CUresult cuMemHostUnregister(void *) { return CUDA_SUCCESS; }
CUresult cuMemcpyHtoD(CUdeviceptr d, const void *s, size_t n) { return put(d, s, n); }
CUresult cuMemcpyDtoH(void *d, CUdeviceptr s, size_t n) { return get(d, s, n); }
CUresult cuMemcpyDtoD(CUdeviceptr d, CUdeviceptr s, size_t n) { return move(d, s, n); }
CUresult cuMemcpyHtoDAsync(CUdeviceptr d, const void *s, size_t n, CUstream q) { return issue(q, [=] { return put(d, s, n); }); }
CUresult cuMemcpyDtoHAsync(void *d, CUdeviceptr s, size_t n, CUstream q) { return issue(q, [=] { return get(d, s, n); }); }
CUresult cuMemcpyDtoDAsync(CUdeviceptr d, CUdeviceptr s, size_t n, CUstream q) { return issue(q, [=] { return move(d, s, n); }); }
CUresult cuMemsetD8(CUdeviceptr d, unsigned char v, size_t n) { return fill(d, v, n); }
CUresult cuMemsetD16(CUdeviceptr d, unsigned short v, size_t n) { return fill(d, v, n); }
CUresult cuMemsetD32(CUdeviceptr d, unsigned v, size_t n) { return fill(d, v, n); }
CUresult cuMemsetD8Async(CUdeviceptr d, unsigned char v, size_t n, CUstream q) { return issue(q, [=] { return fill(d, v, n); }); }
CUresult cuMemsetD16Async(CUdeviceptr d, unsigned short v, size_t n, CUstream q) { return issue(q, [=] { return fill(d, v, n); }); }
CUresult cuMemsetD32Async(CUdeviceptr d, unsigned v, size_t n, CUstream q) { return issue(q, [=] { return fill(d, v, n); }); }

// ---- streams, events, graphs
CUresult cuStreamCreate(CUstream *s, unsigned) { *s = (CUstream) new Stream; return CUDA_SUCCESS; }
CUresult cuStreamCreateWithPriority(CUstream *s, unsigned, int) { *s = (CUstream) new Stream; return CUDA_SUCCESS; }
CUresult cuStreamDestroy(CUstream s) { delete (Stream *)s; return CUDA_SUCCESS; }
CUresult cuStreamSynchronize(CUstream s) { return str(s)->capture ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS; }
CUresult cuStreamQuery(CUstream) { return CUDA_SUCCESS; }
CUresult cuStreamWaitEvent(CUstream, CUevent, unsigned) { return CUDA_SUCCESS; }
CUresult cuEventCreate(CUevent *e, unsigned) { *e = (CUevent) new Event; return CUDA_SUCCESS; }
CUresult cuEventDestroy(CUevent e) { delete (Event *)e; return CUDA_SUCCESS; }
CUresult cuEventRecord(CUevent e, CUstream s) { return issue(s, [=] { ((Event *)e)->t = now(); return CUDA_SUCCESS; }); }
CUresult cuEventSynchronize(CUevent) { return CUDA_SUCCESS; }
CUresult cuEventQuery(CUevent) { return CUDA_SUCCESS; }
CUresult cuEventElapsedTime(float *ms, CUevent a, CUevent b) { *ms = (float)(((Event *)b)->t - ((Event *)a)->t); return CUDA_SUCCESS; }
CUresult cuStreamBeginCapture(CUstream s, CUstreamCaptureMode) {
    if ((uintptr_t)s <= 2) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    str(s)->capture = new Graph;
    return CUDA_SUCCESS;
}
CUresult cuStreamIsCapturing(CUstream s, CUstreamCaptureStatus *st) {
    *st = str(s)->capture ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
    return CUDA_SUCCESS;
}
CUresult cuStreamEndCapture(CUstream s, CUgraph *g) { *g = (CUgraph)str(s)->capture; str(s)->capture = nullptr; return CUDA_SUCCESS; }
CUresult cuGraphGetNodes(CUgraph g, CUgraphNode *, size_t *n) { *n = ((Graph *)g)->ops.size(); return CUDA_SUCCESS; }
CUresult cuGraphInstantiateWithFlags(CUgraphExec *x, CUgraph g, unsigned long long) { *x = (CUgraphExec) new Graph(*(Graph *)g); return CUDA_SUCCESS; }
CUresult cuGraphLaunch(CUgraphExec x, CUstream s) {
    for (Op &o : ((Graph *)x)->ops)
        if (CUresult r = issue(s, o.run)) return r;
    return CUDA_SUCCESS;
}
CUresult cuGraphDestroy(CUgraph g) { delete (Graph *)g; return CUDA_SUCCESS; }
CUresult cuGraphExecDestroy(CUgraphExec g) { delete (Graph *)g; return CUDA_SUCCESS; }

// ---- modules and launches
CUresult cuModuleLoadDataEx(CUmodule *m, const void *image, unsigned n_opt, CUjit_option *opt, void **val) {
    for (unsigned i = 0; i < n_opt; ++i) {
        if (opt[i] == CU_JIT_INFO_LOG_BUFFER || opt[i] == CU_JIT_ERROR_LOG_BUFFER) *(char *)val[i] = 0;
        if (opt[i] == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES || opt[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) val[i] = nullptr;
    }
    const size_t n = elf_size((const char *)image);
    if (!n) return CUDA_ERROR_NO_BINARY_FOR_GPU;  // a real cubin, or PTX
    // the module's emulator_* symbols come from the emulator, however that was loaded
    Dl_info self;
    if (dladdr((void *)&emulator_launch, &self)) dlopen(self.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
    char path[] = "/tmp/graphc-module-XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0 || write(fd, image, n) != (ssize_t)n) return CUDA_ERROR_FILE_NOT_FOUND;
    close(fd);
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!lib) { fprintf(stderr, "cpu libcuda: %s\n", dlerror()); unlink(path); return CUDA_ERROR_INVALID_IMAGE; }
    if (!getenv("GRAPHC_TEST_KEEP")) unlink(path);
    *m = (CUmodule) new Module{lib, path};
    return CUDA_SUCCESS;
}
CUresult cuModuleLoadData(CUmodule *m, const void *image) { return cuModuleLoadDataEx(m, image, 0, nullptr, nullptr); }
CUresult cuModuleUnload(CUmodule m) { delete (Module *)m; return CUDA_SUCCESS; }
CUresult cuModuleGetFunction(CUfunction *f, CUmodule m, const char *name) {
    const void *i = dlsym(((Module *)m)->lib, (std::string("emulator_info_") + name).c_str());
    if (!i) return CUDA_ERROR_NOT_FOUND;
    *f = (CUfunction) new Func{*(const emulator_kernel_info *)i, name};
    return CUDA_SUCCESS;
}
CUresult cuModuleGetGlobal(CUdeviceptr *p, size_t *n, CUmodule m, const char *name) {
    void *v = dlsym(((Module *)m)->lib, name);
    if (!v) return CUDA_ERROR_NOT_FOUND;
    if (p) *p = (CUdeviceptr)v;
    if (n) *n = 0;
    return CUDA_SUCCESS;
}
CUresult cuFuncGetAttribute(int *v, CUfunction_attribute a, CUfunction f) {
    *v = a == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? ((Func *)f)->info.max_threads : a == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES ? ((Func *)f)->max_dyn : 0;
    return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute a, int v) {
    if (a == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
        if (v > 232448) return CUDA_ERROR_INVALID_VALUE;
        ((Func *)f)->max_dyn = v;
    }
    return CUDA_SUCCESS;
}
CUresult cuFuncSetBlockShape(CUfunction, int, int, int) { return CUDA_SUCCESS; }
CUresult cuFuncSetSharedSize(CUfunction, unsigned) { return CUDA_SUCCESS; }
CUresult cuFuncSetCacheConfig(CUfunction, CUfunc_cache) { return CUDA_SUCCESS; }
CUresult cuLaunchKernel(CUfunction fn, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream s,
                        void **params, void **extra) {
    Func *f = (Func *)fn;
    if ((long long)bx * by * bz > f->info.max_threads) return (long long)bx * by * bz > 1024 ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    if ((int)shared > f->max_dyn) return CUDA_ERROR_INVALID_VALUE;
    std::string args(f->info.args_size + 16, 0);
    if (extra) {
        for (int i = 0; extra[i] != CU_LAUNCH_PARAM_END; i += 2)
            if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER) memcpy(&args[0], extra[i + 1], f->info.args_size);
            else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE && *(size_t *)extra[i + 1] < f->info.args_size) return CUDA_ERROR_INVALID_VALUE;
    } else {
        for (unsigned i = 0; i < f->info.n_params; ++i) memcpy(&args[f->info.params[i].offset], params[i], f->info.params[i].size);
    }
    return issue(s, [=]() -> CUresult {
        emulator_launch_desc d{f->info.entry, args.data(), {gx, gy, gz}, {bx, by, bz}, shared, 232448, env("GRAPHC_TEST_THREADS", 0), env("GRAPHC_TEST_ORDER", 0), f->info.checked};
        if (emulator_launch(&d)) {
            detail = std::string("in ") + f->name + ":\n" + emulator_last_error();
            return CUDA_ERROR_LAUNCH_FAILED;
        }
        return CUDA_SUCCESS;
    });
}
}
