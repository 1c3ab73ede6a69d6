// What kernels and the run time share: a launch, and what a thread of a block may ask for.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define GRAPHC_CUDA_ON_CPU 1
#define EMULATOR_NOSAN __attribute__((no_sanitize("thread", "address", "undefined")))

// ---------------------------------------------------------------- what kernels and run time share
struct uint3 { unsigned x, y, z; };
struct emulator_ctx { uint3 tid, bid, bdim, gdim; };

typedef void (*emulator_warp_fn)(void **args, unsigned present);
enum { EMULATOR_SYNCWARP = 1, EMULATOR_SHFL, EMULATOR_VOTE, EMULATOR_MMA, EMULATOR_OTHER };

struct emulator_tensor_map {  // what the driver's encoding is here
    const char *address;
    uint64_t extents[3], strides[2];  // strides in bytes, of all but the innermost
    uint32_t kind, size, box[3];
    char unused[128 - 68];
};
enum { EMULATOR_FLOAT16 = 6, EMULATOR_BFLOAT16 = 9, EMULATOR_TFLOAT32 = 11 };  // of CUtensorMapDataType
struct emulator_product {  // a warp's part of a wgmma, which is performed when it is waited for
    void (*perform)(const emulator_product *);
    void *totals[32];  // each lane's sums
    uint64_t a, b;
    bool turned_a, turned_b;
    uint32_t begin[2], end[2];  // the shared memory that it reads of both operands
    int warp, group;
};

extern "C" {
extern __thread emulator_ctx emulator_tls __attribute__((tls_model("initial-exec")));
int emulator_barrier(int op, int pred, int line);
void emulator_turn(void);
void emulator_warp(unsigned mask, emulator_warp_fn fn, void *arg, int kind, int line);
void *emulator_shared(const void *id, size_t bytes, size_t align, const char *name);
void *emulator_dyn_shared(void);
void emulator_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void emulator_note(const void *addr, unsigned bytes, int kind);  // 0 read, 1 write, 2 atomic: for accesses the compiler did not instrument
void emulator_async_copy(void *dst, const void *src, unsigned bytes, unsigned src_bytes);
void emulator_async_commit(void);
void emulator_async_wait(int prior);
void emulator_async_fence(void);
uint32_t emulator_shared_address(const void *p);
void *emulator_shared_at(uint32_t address);
void emulator_async_read(const void *p, unsigned bytes);  // by tensor cores
void emulator_barrier_init(uint64_t *barrier, int count);
void emulator_barrier_expect(uint64_t *barrier, int bytes);
void emulator_barrier_wait(uint64_t *barrier, int parity);
void emulator_bulk_copy(void *to, const struct emulator_tensor_map *map, const int *at, uint64_t *barrier);
int emulator_warp_number(void);
void emulator_product_begin(struct emulator_product *x);
void emulator_products_arrive(void);
void emulator_products_commit(void);
void emulator_products_wait(int groups);
int emulator_encode_tiled(struct emulator_tensor_map *out, int kind, unsigned rank, void *address, const uint64_t *extents,
                          const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave, int swizzle,
                          int promotion, int fill);  // as cuTensorMapEncodeTiled

typedef void (*emulator_entry)(const void *packed_args);
struct emulator_param { unsigned offset, size; };
struct emulator_kernel_info {  // exported for each kernel as emulator_info_<name>
    emulator_entry entry;
    size_t args_size;
    unsigned n_params;
    const emulator_param *params;
    int checked;  // compiled with -fsanitize=thread
    int max_threads;  // from __launch_bounds__, or 1024
};
struct emulator_launch_desc {
    emulator_entry entry;
    const void *args;  // packed as the CUDA driver packs them (natural alignment)
    unsigned grid[3], block[3];
    size_t dyn_shared;
    size_t shared_limit;  // 0: 48 KiB
    int host_threads;     // 0: all
    int order;            // 0 forward, 1 reverse, >= 2 shuffled with this seed
    int check;            // 1: single host thread, full checks (for kernels compiled with -fsanitize=thread)
};
int emulator_launch(const emulator_launch_desc *d);  // 0 or 1 (see emulator_last_error)
const char *emulator_last_error(void);
void emulator_region_add(const void *p, size_t n, int uninitialised);
void emulator_region_del(const void *p);
void emulator_region_init(const void *p, size_t n);  // the host wrote this range
}
