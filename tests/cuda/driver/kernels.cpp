// Modules and launches. A "cubin" is a shared object, made by the stand-in for nvcc.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state.h"

namespace driver {

constexpr int MOST_SHARED = 232448;

struct Module {
    void *library;
    std::string path;
};
struct Function {
    emulator_kernel_info info;
    std::string name;
    int most_dynamic = 48 << 10;
};

static size_t size_of_image(const char *image) {
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)image;
    if (memcmp(head->e_ident, ELFMAG, SELFMAG) || head->e_machine != EM_X86_64) return 0;
    size_t end = head->e_shoff + (size_t)head->e_shnum * head->e_shentsize;
    const Elf64_Shdr *section = (const Elf64_Shdr *)(image + head->e_shoff);
    for (int i = 0; i < head->e_shnum; ++i)
        if (section[i].sh_type != SHT_NOBITS && section[i].sh_offset + section[i].sh_size > end)
            end = section[i].sh_offset + section[i].sh_size;
    return end;
}

// A text in which source lines stand in place of addresses in modules.
std::string located(const std::string &text) {
    std::string out = text;
    for (size_t at = 0; (at = out.find(" [/", at)) != std::string::npos; ++at) {
        const size_t plus = out.find("+0x", at), close = out.find(']', at);
        if (plus == std::string::npos || close == std::string::npos || plus > close) continue;
        const std::string path = out.substr(at + 2, plus - at - 2);
        char command[600], line[400] = "";
        const unsigned long address = strtoul(out.c_str() + plus + 1, nullptr, 16) - 1;
        snprintf(command, sizeof command, "addr2line -e '%s' 0x%lx 2>/dev/null", path.c_str(), address);
        FILE *found = popen(command, "r");
        if (!found) continue;
        if (!fgets(line, sizeof line, found)) line[0] = 0;
        pclose(found);
        line[strcspn(line, "\n")] = 0;
        const char *name = strrchr(line, '/');
        out.replace(at + 2, close - at - 2, name ? name + 1 : line);
    }
    return out;
}

static CUresult load(CUmodule *out, const void *image) {
    Guard guard;
    if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
    const size_t size = size_of_image((const char *)image);
    if (!size) return CUDA_ERROR_NO_BINARY_FOR_GPU;  // a real cubin, or PTX
    // Kernels find the run time among the symbols that all libraries see.
    Dl_info self;
    if (dladdr((void *)&emulator_launch, &self)) dlopen(self.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
    const char *base = getenv("TMPDIR");
    std::string path = std::string(base ? base : "/tmp") + "/emulated-XXXXXX";
    const int file = mkstemp(&path[0]);
    if (file < 0 || write(file, image, size) != (ssize_t)size) return CUDA_ERROR_FILE_NOT_FOUND;
    close(file);
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "stand-in driver: %s\n", dlerror());
        unlink(path.c_str());
        return CUDA_ERROR_INVALID_IMAGE;
    }
    *out = (CUmodule) new Module{library, path};
    return CUDA_SUCCESS;
}

// Files of modules that nobody unloads.
struct Files {
    std::set<std::string> paths;
    ~Files() {
        for (const std::string &path : paths) unlink(path.c_str());
    }
};
static Files files;

static CUresult pack(const Function *f, void **params, void **extra, std::string &packed) {
    packed.assign(f->info.args_size + 16, 0);
    if (!extra) {
        for (unsigned i = 0; i < f->info.n_params; ++i)
            memcpy(&packed[f->info.params[i].offset], params[i], f->info.params[i].size);
        return CUDA_SUCCESS;
    }
    for (int i = 0; extra[i] != CU_LAUNCH_PARAM_END; i += 2) {
        if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER) memcpy(&packed[0], extra[i + 1], f->info.args_size);
        else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE && *(size_t *)extra[i + 1] < f->info.args_size)
            return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

}  // namespace driver

using namespace driver;

extern "C" {
CUresult cuModuleLoadDataEx(CUmodule *m, const void *image, unsigned n, CUjit_option *options, void **values) {
    for (unsigned i = 0; i < n; ++i) {
        if (options[i] == CU_JIT_INFO_LOG_BUFFER || options[i] == CU_JIT_ERROR_LOG_BUFFER) *(char *)values[i] = 0;
        if (options[i] == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES || options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
            values[i] = nullptr;
    }
    const CUresult failed = load(m, image);
    if (!failed) files.paths.insert(((Module *)*m)->path);
    return failed;
}
CUresult cuModuleLoadData(CUmodule *m, const void *image) { return cuModuleLoadDataEx(m, image, 0, nullptr, nullptr); }
CUresult cuModuleUnload(CUmodule handle) {
    Guard guard;
    Module *m = (Module *)handle;
    for (int i = 0; i < device_count(); ++i) finish_device(i);
    dlclose(m->library);
    unlink(m->path.c_str());
    files.paths.erase(m->path);
    delete m;
    return CUDA_SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction *f, CUmodule m, const char *name) {
    const void *info = dlsym(((Module *)m)->library, (std::string("emulator_info_") + name).c_str());
    if (!info) return CUDA_ERROR_NOT_FOUND;
    *f = (CUfunction) new Function{*(const emulator_kernel_info *)info, name};
    return CUDA_SUCCESS;
}
CUresult cuModuleGetGlobal(CUdeviceptr *p, size_t *n, CUmodule m, const char *name) {
    Guard guard;
    void *at = dlsym(((Module *)m)->library, name);
    Dl_info info;
    const Elf64_Sym *symbol = nullptr;
    if (!at || !dladdr1(at, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol) return CUDA_ERROR_NOT_FOUND;
    add_variable(at, symbol->st_size);
    if (p) *p = (CUdeviceptr)at;
    if (n) *n = symbol->st_size;
    return CUDA_SUCCESS;
}
CUresult cuFuncGetAttribute(int *v, CUfunction_attribute a, CUfunction handle) {
    const Function *f = (Function *)handle;
    *v = a == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK               ? f->info.max_threads
         : a == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES ? f->most_dynamic
                                                                : 0;
    return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute a, int v) {
    if (a != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_SUCCESS;
    if (v > MOST_SHARED) return CUDA_ERROR_INVALID_VALUE;
    ((Function *)f)->most_dynamic = v;
    return CUDA_SUCCESS;
}
CUresult cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank, void *address, const cuuint64_t *extents,
                                const cuuint64_t *strides, const cuuint32_t *box, const cuuint32_t *steps, CUtensorMapInterleave interleave,
                                CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill) {
    return (CUresult)emulator_encode_tiled((emulator_tensor_map *)map, type, rank, address, (const uint64_t *)extents, (const uint64_t *)strides,
                                           box, steps, interleave, swizzle, promotion, fill);
}
CUresult cuFuncSetBlockShape(CUfunction, int, int, int) { return CUDA_SUCCESS; }
CUresult cuFuncSetSharedSize(CUfunction, unsigned) { return CUDA_SUCCESS; }
CUresult cuFuncSetCacheConfig(CUfunction, CUfunc_cache) { return CUDA_SUCCESS; }
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, CUfunction, int threads, size_t) {
    *n = threads > 64 ? 2048 / threads : 32;
    return CUDA_SUCCESS;
}
CUresult cuLaunchKernel(CUfunction handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, CUstream s, void **params, void **extra) {
    const Function *f = (Function *)handle;
    const unsigned long long threads = (unsigned long long)bx * by * bz;
    if (!threads || threads > 1024 || !gx || !gy || !gz || gy > 65535 || gz > 65535) return CUDA_ERROR_INVALID_VALUE;
    if ((long long)threads > f->info.max_threads) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    if ((int)shared > f->most_dynamic) return CUDA_ERROR_INVALID_VALUE;
    std::string packed;
    if (const CUresult failed = pack(f, params, extra, packed)) return failed;
    return issue(s, [=]() -> CUresult {
        const emulator_launch_desc launch{
            f->info.entry, packed.data(), {gx, gy, gz}, {bx, by, bz}, shared, MOST_SHARED,
            (int)setting("GRAPHC_TEST_THREADS", 0), (int)setting("GRAPHC_TEST_ORDER", 0), f->info.checked};
        if (!emulator_launch(&launch)) return CUDA_SUCCESS;
        detail = std::string("in ") + f->name + ":\n" + located(emulator_last_error());
        return CUDA_ERROR_LAUNCH_FAILED;
    });
}
}
