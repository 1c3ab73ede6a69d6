// Memory of the devices, pinned memory, copies, fills.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <memory>

#include "state.h"

namespace driver {

static std::map<uintptr_t, Allocation> allocations;
static std::map<uintptr_t, size_t> host, variables;
static std::map<int, size_t> in_use;

static bool within(const std::map<uintptr_t, size_t> &sizes, uintptr_t p, size_t n) {
    auto found = sizes.upper_bound(p);
    return found != sizes.begin() && p + n <= (--found)->first + found->second;
}
static std::map<uintptr_t, Allocation>::iterator holder(CUdeviceptr p) {
    auto found = allocations.upper_bound(p);
    if (found == allocations.begin()) return allocations.end();
    --found;
    return p < found->first + found->second.size ? found : allocations.end();
}
bool inside(CUdeviceptr p, size_t n) {
    const auto found = holder(p);
    if (found != allocations.end()) return p + n <= found->first + found->second.size;
    return within(variables, p, n) || within(host, p, n);
}
bool pinned(const void *p) { return within(host, (uintptr_t)p, 1); }
size_t bytes_in_use(int device) { return in_use[device]; }
void add_variable(const void *p, size_t n) { variables[(uintptr_t)p] = n; }

// After each allocation comes a page that must not be touched, so that what runs far over it is seen unchecked too.
static CUresult allocate(CUdeviceptr *p, size_t n) {
    Guard guard;
    if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
    if (!n) return CUDA_ERROR_INVALID_VALUE;
    const int device = current()->device;
    if (n > memory_size() - in_use[device]) return CUDA_ERROR_OUT_OF_MEMORY;
    const size_t page = 4096, body = (n + 255) / 256 * 256, size = (body + page - 1) / page * page + page;
    char *map = (char *)mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    mprotect(map + size - page, page, PROT_NONE);
    char *at = map + size - page - body;
    memset(at, 0xff, n);
    *p = (CUdeviceptr)at;
    allocations[*p] = Allocation{n, map, size, device};
    in_use[device] += n;
    emulator_region_add(at, n, 1);
    return CUDA_SUCCESS;
}
static CUresult release(CUdeviceptr p) {
    if (!p) return CUDA_SUCCESS;
    const auto found = allocations.find(p);
    if (found == allocations.end()) return CUDA_ERROR_INVALID_VALUE;
    emulator_region_del((void *)p);
    munmap(found->second.map, found->second.map_size);
    in_use[found->second.device] -= found->second.size;
    allocations.erase(found);
    return CUDA_SUCCESS;
}
static CUresult copy(void *to, const void *from, size_t n) {
    memmove(to, from, n);
    emulator_region_init(to, n);
    return CUDA_SUCCESS;
}
// A synchronous call is work of the default stream, and is waited for.
static CUresult now(const Action &action) {
    if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
    if (forbidden()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (const CUresult failed = finish_for_default()) return failed;
    return action();
}
static CUresult fill(CUdeviceptr d, const void *value, size_t width, size_t n) {
    for (size_t i = 0; i < n; ++i) memcpy((char *)d + i * width, value, width);
    emulator_region_init((void *)d, n * width);
    return CUDA_SUCCESS;
}
template <class T> static CUresult fill_now(CUdeviceptr d, T value, size_t n) {
    Guard guard;
    if (!inside(d, n * sizeof(T))) return CUDA_ERROR_INVALID_VALUE;
    return now([=] { return fill(d, &value, sizeof(T), n); });
}
template <class T> static CUresult fill_later(CUdeviceptr d, T value, size_t n, CUstream s) {
    Guard guard;
    if (!inside(d, n * sizeof(T))) return CUDA_ERROR_INVALID_VALUE;
    return issue(s, [=] { return fill(d, &value, sizeof(T), n); });
}

}  // namespace driver

using namespace driver;

extern "C" {
CUresult cuMemAlloc(CUdeviceptr *p, size_t n) {
    Guard guard;
    return forbidden() ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : allocate(p, n);
}
CUresult cuMemAllocManaged(CUdeviceptr *p, size_t n, unsigned) { return allocate(p, n); }
CUresult cuMemFree(CUdeviceptr p) {
    Guard guard;
    if (forbidden()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    const auto found = holder(p);
    // Work that uses the memory is done first, as CUDA does it; what fails there is told by a synchronisation.
    if (found != allocations.end()) finish_device(found->second.device);
    return release(p);
}
CUresult cuMemAllocAsync(CUdeviceptr *p, size_t n, CUstream s) {
    Guard guard;
    Stream *stream = stream_of(s);
    if (!stream) return CUDA_ERROR_INVALID_CONTEXT;
    return stream->capture ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : allocate(p, n);
}
CUresult cuMemFreeAsync(CUdeviceptr p, CUstream s) {
    return issue(s, [=] { return release(p); });
}
CUresult cuMemGetInfo(size_t *free, size_t *total) {
    Guard guard;
    if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
    *total = memory_size();
    *free = memory_size() - bytes_in_use(current()->device);
    return CUDA_SUCCESS;
}
CUresult cuMemGetAddressRange(CUdeviceptr *base, size_t *n, CUdeviceptr p) {
    Guard guard;
    const auto found = holder(p);
    if (found == allocations.end()) return CUDA_ERROR_INVALID_VALUE;
    if (base) *base = found->first;
    if (n) *n = found->second.size;
    return CUDA_SUCCESS;
}
CUresult cuPointerGetAttribute(void *out, CUpointer_attribute a, CUdeviceptr p) {
    Guard guard;
    const auto found = holder(p);
    const bool device = found != allocations.end();
    if (!device && !pinned((void *)p)) return CUDA_ERROR_INVALID_VALUE;
    if (a == CU_POINTER_ATTRIBUTE_MEMORY_TYPE) *(unsigned *)out = device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
    else if (a == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL) *(int *)out = device ? found->second.device : 0;
    else return CUDA_ERROR_NOT_SUPPORTED;
    return CUDA_SUCCESS;
}
// Memory pools are told apart by device alone, and hold nothing back.
CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice d) {
    *pool = (CUmemoryPool)(uintptr_t)(d + 1);
    return CUDA_SUCCESS;
}
CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice d) { return cuDeviceGetDefaultMemPool(pool, d); }
CUresult cuMemPoolTrimTo(CUmemoryPool, size_t) { return CUDA_SUCCESS; }
CUresult cuMemPoolSetAttribute(CUmemoryPool, CUmemPool_attribute, void *) { return CUDA_SUCCESS; }
CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute, void *value) {
    Guard guard;
    *(unsigned long long *)value = bytes_in_use((int)(uintptr_t)pool - 1);
    return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **p, size_t n, unsigned) {
    Guard guard;
    if (posix_memalign(p, 4096, n ? n : 1)) return CUDA_ERROR_OUT_OF_MEMORY;
    host[(uintptr_t)*p] = n;
    emulator_region_add(*p, n, 0);
    return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void *p) {
    Guard guard;
    if (!host.erase((uintptr_t)p)) return CUDA_ERROR_INVALID_VALUE;
    for (int i = 0; i < device_count(); ++i) finish_device(i);
    emulator_region_del(p);
    free(p);
    return CUDA_SUCCESS;
}
CUresult cuMemHostGetDevicePointer(CUdeviceptr *d, void *p, unsigned) { *d = (CUdeviceptr)p; return CUDA_SUCCESS; }
CUresult cuMemHostGetFlags(unsigned *flags, void *) { *flags = 0; return CUDA_SUCCESS; }
CUresult cuMemHostRegister(void *p, size_t n, unsigned) {
    Guard guard;
    host[(uintptr_t)p] = n;
    emulator_region_add(p, n, 0);
    return CUDA_SUCCESS;
}
CUresult cuMemHostUnregister(void *p) {
    Guard guard;
    if (!host.erase((uintptr_t)p)) return CUDA_ERROR_INVALID_VALUE;
    emulator_region_del(p);
    return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoD(CUdeviceptr d, const void *s, size_t n) {
    Guard guard;
    return inside(d, n) ? now([=] { return copy((void *)d, s, n); }) : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuMemcpyDtoH(void *d, CUdeviceptr s, size_t n) {
    Guard guard;
    return inside(s, n) ? now([=] { return copy(d, (void *)s, n); }) : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuMemcpyDtoD(CUdeviceptr d, CUdeviceptr s, size_t n) {
    Guard guard;
    if (!inside(d, n) || !inside(s, n)) return CUDA_ERROR_INVALID_VALUE;
    return now([=] { return copy((void *)d, (void *)s, n); });
}
CUresult cuMemcpyHtoDAsync(CUdeviceptr d, const void *s, size_t n, CUstream q) {
    Guard guard;
    if (!inside(d, n)) return CUDA_ERROR_INVALID_VALUE;
    if (pinned(s)) return issue(q, [=] { return copy((void *)d, s, n); });
    // Memory that is not pinned has been read when the call returns.
    const auto kept = std::make_shared<std::string>((const char *)s, n);
    return issue(q, [=] { return copy((void *)d, kept->data(), n); });
}
CUresult cuMemcpyDtoHAsync(void *d, CUdeviceptr s, size_t n, CUstream q) {
    Guard guard;
    if (!inside(s, n)) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult failed = issue(q, [=] { return copy(d, (void *)s, n); })) return failed;
    Stream *stream = stream_of(q);
    // Memory that is not pinned has been written when the call returns.
    return pinned(d) || stream->capture ? CUDA_SUCCESS : finish(stream);
}
CUresult cuMemcpyDtoDAsync(CUdeviceptr d, CUdeviceptr s, size_t n, CUstream q) {
    Guard guard;
    if (!inside(d, n) || !inside(s, n)) return CUDA_ERROR_INVALID_VALUE;
    return issue(q, [=] { return copy((void *)d, (void *)s, n); });
}
CUresult cuMemsetD8(CUdeviceptr d, unsigned char v, size_t n) { return fill_now(d, v, n); }
CUresult cuMemsetD16(CUdeviceptr d, unsigned short v, size_t n) { return fill_now(d, v, n); }
CUresult cuMemsetD32(CUdeviceptr d, unsigned v, size_t n) { return fill_now(d, v, n); }
CUresult cuMemsetD8Async(CUdeviceptr d, unsigned char v, size_t n, CUstream q) { return fill_later(d, v, n, q); }
CUresult cuMemsetD16Async(CUdeviceptr d, unsigned short v, size_t n, CUstream q) { return fill_later(d, v, n, q); }
CUresult cuMemsetD32Async(CUdeviceptr d, unsigned v, size_t n, CUstream q) { return fill_later(d, v, n, q); }
}
