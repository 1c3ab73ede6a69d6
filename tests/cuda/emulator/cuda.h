// CUDA C as C++, for the CPU: included before a CUDA C source, it gives threadIdx, __shared__, __syncthreads, shuffles,
// atomics, half and bfloat16, tensor cores, ... CUDA's meaning.
//
// How it runs. A block's threads are fibers on one host thread; blocks are spread over host threads. A thread runs
// until it ends or waits (barrier, warp operation). A thread that never waits costs no context switch: the fiber that
// ran it goes straight on to the next thread, so a kernel without barriers is a plain loop. The last thread to arrive
// at a warp operation carries it out for the whole warp.
//
// What it checks. Always: barrier divergence and deadlock, shuffles from absent lanes, lanes that left before a warp
// operation, copies and wgmma that somebody forgot to wait for, wmma pointer alignment, static + dynamic shared memory against the limit; fresh shared memory is filled
// with NaN patterns; the order in which threads run can be reversed or shuffled (missing barriers change results).
// Kernels compiled with -fsanitize=thread (NOT linked with libtsan: the callbacks are below) are checked access by
// access: out of bounds, data races inside a block and between blocks, reads of shared or device memory never written,
// shared memory that wgmma reads with no fence.proxy.async since it was written;
// with -fsanitize=alignment,bounds,signed-integer-overflow,... (NOT linked with libubsan) misaligned vector accesses,
// indices outside an array's declared bounds and overflowing index arithmetic are named with their source line.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "interface.h"
#include "language.h"
#include "threads.h"
#include "low_precision.h"
#include "tensor_cores.h"
#include "warpgroups.h"
#include "entries.h"
