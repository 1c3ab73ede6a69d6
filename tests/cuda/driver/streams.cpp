// Streams, events, capture and graphs.
#include <time.h>

#include <algorithm>

#include "state.h"

namespace driver {

static Ticket issued = 0;

static double milliseconds() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

Stream *stream_of(CUstream s) {
    if ((uintptr_t)s > 2) return (Stream *)s;
    return current() ? &current()->standard : nullptr;
}

// Work that fails ends its stream's queue. It is told once, so that one failure of a test suite is one failure.
CUresult finish(Stream *s, Ticket last) {
    while (!s->queue.empty() && s->queue.front().ticket <= last) {
        const Action run = std::move(s->queue.front().run);
        s->queue.pop_front();
        if (const CUresult failed = run()) {
            s->queue.clear();
            return failed;
        }
    }
    return CUDA_SUCCESS;
}
static void enqueue(Stream *s, Action action) { s->queue.push_back({++issued, std::move(action)}); }

static void wait_for(Stream *s, Stream *other) {
    if (other == s || other->queue.empty()) return;
    const Ticket last = other->queue.back().ticket;
    enqueue(s, [=] { return finish(other, last); });
}
CUresult issue(CUstream handle, Action action) {
    Guard guard;
    Stream *s = stream_of(handle);
    if (!s) return CUDA_ERROR_INVALID_CONTEXT;
    if (s->capture) {
        s->capture->actions.push_back(std::move(action));
        return CUDA_SUCCESS;
    }
    Context *context = s->context;
    if (s == &context->standard) {
        for (Stream *other : context->streams)
            if (other->blocking) wait_for(s, other);
    } else if (s->blocking) {
        wait_for(s, &context->standard);
    }
    enqueue(s, std::move(action));
    return CUDA_SUCCESS;
}
CUresult finish_device(int device) {
    CUresult failed = CUDA_SUCCESS;
    for (Context *context : contexts()) {
        if (context->device != device) continue;
        if (const CUresult r = finish(&context->standard)) failed = r;
        for (Stream *s : context->streams)
            if (const CUresult r = finish(s)) failed = r;
    }
    return failed;
}
CUresult finish_for_default() {
    Context *context = current();
    CUresult failed = finish(&context->standard);
    for (Stream *s : context->streams)
        if (s->blocking && !failed) failed = finish(s);
    return failed;
}
bool forbidden() {
    bool found = false;
    for (Context *context : contexts())
        for (Stream *s : context->streams)
            if (s->capture && s->capture->strict) found = s->capture->invalid = true;
    return found;
}
static CUresult begin(CUstream handle, CUstreamCaptureMode mode) {
    Guard guard;
    Stream *s = stream_of(handle);
    if ((uintptr_t)handle <= 2) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (s->capture) return CUDA_ERROR_ILLEGAL_STATE;
    s->capture = new Graph;
    s->capture->strict = mode != CU_STREAM_CAPTURE_MODE_RELAXED;
    s->origin = true;
    return CUDA_SUCCESS;
}
static CUresult end(CUstream handle, CUgraph *out) {
    Guard guard;
    Stream *s = stream_of(handle);
    if (!s || !s->capture || !s->origin) return CUDA_ERROR_ILLEGAL_STATE;
    Graph *graph = s->capture;
    for (Stream *other : s->context->streams)
        if (other->capture == graph) other->capture = nullptr;
    s->origin = false;
    *out = nullptr;
    if (graph->invalid) {
        delete graph;
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    *out = (CUgraph)graph;
    return CUDA_SUCCESS;
}
static CUresult create(CUstream *out, unsigned flags) {
    Guard guard;
    if (!current()) return CUDA_ERROR_INVALID_CONTEXT;
    Stream *made = new Stream;
    made->context = current();
    made->blocking = !(flags & CU_STREAM_NON_BLOCKING);
    current()->streams.insert(made);
    *out = (CUstream)made;
    return CUDA_SUCCESS;
}

}  // namespace driver

using namespace driver;

extern "C" {
CUresult cuStreamCreate(CUstream *s, unsigned flags) { return create(s, flags); }
CUresult cuStreamCreateWithPriority(CUstream *s, unsigned flags, int) { return create(s, flags); }
CUresult cuStreamDestroy(CUstream handle) {
    Guard guard;
    Stream *s = (Stream *)handle;
    const CUresult failed = finish(s);
    s->context->streams.erase(s);
    // The object stays: work of other streams may still name it.
    return failed;
}
CUresult cuStreamSynchronize(CUstream handle) {
    Guard guard;
    Stream *s = stream_of(handle);
    if (!s) return CUDA_ERROR_INVALID_CONTEXT;
    if (s->capture) {
        s->capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    return s == &s->context->standard ? finish_for_default() : finish(s);
}
CUresult cuStreamQuery(CUstream handle) {
    Guard guard;
    Stream *s = stream_of(handle);
    if (!s) return CUDA_ERROR_INVALID_CONTEXT;
    if (s->queue.empty()) return CUDA_SUCCESS;
    // Who asks again and again gets on: each question lets one piece of work be done.
    const CUresult failed = finish(s, s->queue.front().ticket);
    return failed ? failed : CUDA_ERROR_NOT_READY;
}
CUresult cuStreamWaitEvent(CUstream handle, CUevent event, unsigned) {
    Guard guard;
    Stream *s = stream_of(handle);
    const Event *e = (Event *)event;
    if (!s) return CUDA_ERROR_INVALID_CONTEXT;
    if (e->capture) {
        s->capture = e->capture;  // the stream joins the capture that recorded the event
        return CUDA_SUCCESS;
    }
    if (!e->stream) return CUDA_SUCCESS;
    Stream *other = e->stream;
    const Ticket last = e->ticket;
    return issue(handle, [=] { return finish(other, last); });
}
CUresult cuStreamGetCtx(CUstream handle, CUcontext *c) {
    Guard guard;
    Stream *s = stream_of(handle);
    *c = s ? (CUcontext)s->context : nullptr;
    return s ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuEventCreate(CUevent *e, unsigned flags) {
    Event *made = new Event;
    made->timed = !(flags & CU_EVENT_DISABLE_TIMING);
    *e = (CUevent)made;
    return CUDA_SUCCESS;
}
CUresult cuEventDestroy(CUevent event) {
    Guard guard;
    Event *e = (Event *)event;
    if (e->stream) finish(e->stream, e->ticket);
    delete e;
    return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream handle) {
    Guard guard;
    Stream *s = stream_of(handle);
    Event *e = (Event *)event;
    if (!s) return CUDA_ERROR_INVALID_CONTEXT;
    e->capture = s->capture;
    if (s->capture) return CUDA_SUCCESS;
    const CUresult failed = issue(handle, [=] { e->milliseconds = milliseconds(); return CUDA_SUCCESS; });
    e->stream = s;
    e->ticket = s->queue.back().ticket;
    return failed;
}
static bool done(const Event *e) {
    return !e->stream || e->stream->queue.empty() || e->stream->queue.front().ticket > e->ticket;
}
CUresult cuEventSynchronize(CUevent event) {
    Guard guard;
    const Event *e = (Event *)event;
    if (e->capture) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    return e->stream ? finish(e->stream, e->ticket) : CUDA_SUCCESS;
}
CUresult cuEventQuery(CUevent event) {
    Guard guard;
    const Event *e = (Event *)event;
    if (done(e)) return CUDA_SUCCESS;
    const CUresult failed = finish(e->stream, e->stream->queue.front().ticket);
    return failed ? failed : done(e) ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}
CUresult cuEventElapsedTime(float *ms, CUevent from, CUevent to) {
    Guard guard;
    const Event *a = (Event *)from, *b = (Event *)to;
    if (!a->timed || !b->timed || !a->stream || !b->stream) return CUDA_ERROR_INVALID_HANDLE;
    if (!done(a) || !done(b)) return CUDA_ERROR_NOT_READY;
    *ms = (float)(b->milliseconds - a->milliseconds);
    return CUDA_SUCCESS;
}

CUresult cuStreamBeginCapture(CUstream s, CUstreamCaptureMode mode) { return begin(s, mode); }
CUresult cuStreamEndCapture(CUstream s, CUgraph *g) { return end(s, g); }
CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus *status) {
    Guard guard;
    Stream *s = stream_of(handle);
    if (!s) return CUDA_ERROR_INVALID_CONTEXT;
    *status = !s->capture          ? CU_STREAM_CAPTURE_STATUS_NONE
              : s->capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                    : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
}
CUresult cuGraphGetNodes(CUgraph g, CUgraphNode *, size_t *n) {
    *n = ((Graph *)g)->actions.size();
    return CUDA_SUCCESS;
}
CUresult cuGraphInstantiateWithFlags(CUgraphExec *x, CUgraph g, unsigned long long) {
    *x = (CUgraphExec) new Executable(std::make_shared<const Graph>(*(Graph *)g));
    return CUDA_SUCCESS;
}
CUresult cuGraphLaunch(CUgraphExec x, CUstream s) {
    // It may be destroyed before the stream comes to it.
    const Executable graph = *(Executable *)x;
    return issue(s, [graph]() -> CUresult {
        for (const Action &each : graph->actions)
            if (const CUresult failed = each()) return failed;
        return CUDA_SUCCESS;
    });
}
CUresult cuGraphUpload(CUgraphExec, CUstream) { return CUDA_SUCCESS; }
CUresult cuGraphDestroy(CUgraph g) { delete (Graph *)g; return CUDA_SUCCESS; }
CUresult cuGraphExecDestroy(CUgraphExec x) { delete (Executable *)x; return CUDA_SUCCESS; }
}
