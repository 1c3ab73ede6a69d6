// The run time of emulated kernels: compiled once, into a library of its own.
#include "interface.h"

#include "scheduler.inc"
#include "checker.inc"
#include "warpgroups.inc"
#include "launches.inc"
#include "callbacks.inc"
