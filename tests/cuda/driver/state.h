// What the parts of the stand-in driver share. Its devices are this machine's CPU.
//
// Work of a stream is done as late as CUDA allows: at a synchronisation that waits for it. So a program that forgets
// one reads what was there before. Settings are read once, from the environment:
//   GRAPHC_TEST_DEVICES     how many devices there are (1)
//   GRAPHC_TEST_MEMORY      bytes of memory of each (8 GiB)
//   GRAPHC_TEST_CAPABILITY  90 is sm_90
//   GRAPHC_TEST_ORDER       in which order the threads of a block run: 0 forward, 1 in reverse, from 2 on a seed
//   GRAPHC_TEST_THREADS     host threads that run blocks; 0, the default, is one for each processor
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "../emulator/interface.h"
#include "issue.h"

namespace driver {

typedef unsigned long long Ticket;  // orders all work that was ever issued

struct Graph {
    std::vector<Action> actions;
    bool invalid = false;
    bool strict = false;  // captured in the mode in which calls that may synchronise are errors
};
using Executable = std::shared_ptr<const Graph>;
struct Work {
    Ticket ticket;
    Action run;
};
struct Stream {
    Context *context = nullptr;
    bool blocking = true;  // ordered with the default stream
    std::deque<Work> queue;
    Graph *capture = nullptr;
    bool origin = false;  // of the capture
};
struct Event {
    Stream *stream = nullptr;
    Ticket ticket = 0;
    Graph *capture = nullptr;
    double milliseconds = -1;
    bool timed = true;
};
struct Context {
    int device = 0;
    Stream standard;  // the default stream
    std::set<Stream *> streams;
};
struct Allocation {
    size_t size;
    char *map;
    size_t map_size;
    int device;
};

extern std::recursive_mutex mutex;
struct Guard {
    std::lock_guard<std::recursive_mutex> held{mutex};
};

long long setting(const char *name, long long otherwise);
int device_count();
size_t memory_size();

// contexts
Stream *stream_of(CUstream s);  // null where no context is current
const std::set<Context *> &contexts();

// streams
CUresult finish(Stream *s, Ticket last = ~0ull);
CUresult finish_device(int device);
CUresult finish_for_default();  // what a synchronous call on the default stream waits for
bool forbidden();               // whether a capture forbids what may synchronise; it is invalid from now on

// memory
bool pinned(const void *p);
size_t bytes_in_use(int device);
void add_variable(const void *p, size_t n);

// kernels
std::string located(const std::string &text);
extern std::string detail;  // of the last failed launch

}  // namespace driver
