// What libraries on the stand-in driver need of it: to give a stream work, and to ask what is the device's memory.
#pragma once

#include <cuda.h>

#include <functional>

namespace driver {

typedef std::function<CUresult()> Action;
struct Context;

Context *current();
CUresult issue(CUstream s, Action action);
bool inside(CUdeviceptr p, size_t n);

}  // namespace driver
