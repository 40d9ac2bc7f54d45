/* A CUDA driver without a GPU: device memory is the host's, work is done when it is queued.
 *
 * It stands below the real bindings, so that they themselves take every call that edgecl makes of
 * them. It keeps count of what is alive, refuses calls without a context, and fails on demand:
 * stub_fail("cuMemAlloc", 2) makes that call answer 2 until it is told otherwise.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int Result;
typedef void *Handle;
typedef unsigned long long Address;

enum { MEMORY, HOST, STREAM, EVENT, GRAPH, EXEC, RETAINED, KINDS };
static long alive[KINDS];
static __thread int pushed;
static char failing[64];
static int failure;

void stub_fail(const char *call, int code) {
  strncpy(failing, call, sizeof failing - 1);
  failure = code;
}
void stub_alive(long *out) { memcpy(out, alive, sizeof alive); }
int stub_pushed(void) { return pushed; }

#define CALLED(name) \
  if (failure && !strcmp(failing, name)) return failure
#define IN_CONTEXT(name) \
  CALLED(name); \
  if (!pushed) return 201 /* CUDA_ERROR_INVALID_CONTEXT */

static Handle make(int kind, size_t size) {
  alive[kind]++;
  return aligned_alloc(4096, (size + 4096) / 4096 * 4096);
}
static Result end(int kind, Handle what) {
  alive[kind]--;
  free(what);
  return 0;
}

Result cuInit(unsigned flags) { CALLED("cuInit"); return 0; }
Result cuDriverGetVersion(int *out) { *out = 13000; return 0; }
Result cuDeviceGetCount(int *out) { *out = 1; return 0; }
Result cuDeviceGet(int *out, int ordinal) { *out = 0; return ordinal ? 101 : 0; }
Result cuDeviceGetName(char *out, int size, int device) {
  memset(out, 0, size);
  strcpy(out, "Stub");
  return 0;
}
Result cuDeviceGetAttribute(int *out, int which, int device) {
  *out = which == 75 ? 8 : 7;
  return 0;
}
Result cuDeviceComputeCapability(int *major, int *minor, int device) {
  *major = 8;
  *minor = 7;
  return 0;
}
Result cuDeviceTotalMem_v2(size_t *out, int device) { *out = 1 << 30; return 0; }
Result cuDevicePrimaryCtxRetain(Handle *out, int device) {
  *out = (Handle)0xabc0;
  alive[RETAINED]++;
  return 0;
}
Result cuDevicePrimaryCtxRelease_v2(int device) { alive[RETAINED]--; return 0; }
Result cuCtxPushCurrent_v2(Handle context) { CALLED("cuCtxPushCurrent"); pushed++; return 0; }
Result cuCtxPopCurrent_v2(Handle *out) {
  if (!pushed) return 201;
  pushed--;
  if (out) *out = (Handle)0xabc0;
  return 0;
}
Result cuMemAlloc_v2(Address *out, size_t size) {
  IN_CONTEXT("cuMemAlloc");
  if (size > 1 << 30) return 2;
  *out = (Address)make(MEMORY, size);
  return 0;
}
Result cuMemFree_v2(Address what) { IN_CONTEXT("cuMemFree"); return end(MEMORY, (Handle)what); }
Result cuMemHostAlloc(Handle *out, size_t size, unsigned flags) {
  IN_CONTEXT("cuMemHostAlloc");
  *out = make(HOST, size);
  return 0;
}
Result cuMemFreeHost(Handle what) { IN_CONTEXT("cuMemFreeHost"); return end(HOST, what); }
Result cuMemGetInfo_v2(size_t *unused, size_t *total) {
  IN_CONTEXT("cuMemGetInfo");
  *unused = 1 << 29;
  *total = 1 << 30;
  return 0;
}
Result cuStreamCreate(Handle *out, unsigned flags) {
  IN_CONTEXT("cuStreamCreate");
  *out = make(STREAM, 8);
  return 0;
}
Result cuStreamDestroy_v2(Handle what) { IN_CONTEXT("cuStreamDestroy"); return end(STREAM, what); }
Result cuStreamSynchronize(Handle stream) { IN_CONTEXT("cuStreamSynchronize"); return 0; }
Result cuEventCreate(Handle *out, unsigned flags) {
  IN_CONTEXT("cuEventCreate");
  *out = make(EVENT, sizeof(struct timespec));
  return 0;
}
Result cuEventDestroy_v2(Handle what) { IN_CONTEXT("cuEventDestroy"); return end(EVENT, what); }
Result cuEventRecord(Handle event, Handle stream) {
  IN_CONTEXT("cuEventRecord");
  return clock_gettime(CLOCK_MONOTONIC, event);
}
Result cuEventElapsedTime(float *out, Handle start, Handle stop) {
  struct timespec *a = start, *b = stop;
  IN_CONTEXT("cuEventElapsedTime");
  *out = (b->tv_sec - a->tv_sec) * 1e3 + (b->tv_nsec - a->tv_nsec) / 1e6;
  return 0;
}
Result cuEventElapsedTime_v2(float *out, Handle start, Handle stop) {
  return cuEventElapsedTime(out, start, stop);
}
Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t size, Handle stream) {
  IN_CONTEXT("cuMemcpyHtoDAsync");
  memcpy((Handle)to, from, size);
  return 0;
}
Result cuMemcpyDtoHAsync_v2(Handle to, Address from, size_t size, Handle stream) {
  IN_CONTEXT("cuMemcpyDtoHAsync");
  memcpy(to, (Handle)from, size);
  return 0;
}
Result cuStreamBeginCapture_v2(Handle stream, int mode) {
  IN_CONTEXT("cuStreamBeginCapture");
  return mode == 1 ? 0 : 1; /* CU_STREAM_CAPTURE_MODE_THREAD_LOCAL */
}
Result cuStreamEndCapture(Handle stream, Handle *out) {
  IN_CONTEXT("cuStreamEndCapture");
  *out = make(GRAPH, 8);
  return 0;
}
Result cuGraphInstantiateWithFlags(Handle *out, Handle graph, unsigned long long flags) {
  IN_CONTEXT("cuGraphInstantiate");
  *out = make(EXEC, 8);
  return 0;
}
Result cuGraphLaunch(Handle exec, Handle stream) { IN_CONTEXT("cuGraphLaunch"); return 0; }
Result cuGraphDestroy(Handle what) { return end(GRAPH, what); }
Result cuGraphExecDestroy(Handle what) { return end(EXEC, what); }
Result cuGetErrorString(int code, const char **out) {
  *out = code == 2     ? "out of memory"
         : code == 101 ? "invalid device ordinal"
         : code == 700 ? "an illegal memory access was encountered"
                       : "some error";
  return 0;
}
Result stub_unsupported(void) { return 801; }

/* How cuda-bindings finds what it calls: by the name without a version. */
Result cuGetProcAddress_v2(const char *name, Handle *out, int cuda, uint64_t flags, int *status) {
  static const char *const versions[] = {"_v4", "_v3", "_v2", "WithFlags", ""};
  Handle self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  *out = (Handle)stub_unsupported;
  for (unsigned i = 0; i < sizeof versions / sizeof *versions; i++) {
    char versioned[128];
    snprintf(versioned, sizeof versioned, "%s%s", name, versions[i]);
    Handle found = dlsym(self, versioned);
    if (found) {
      *out = found;
      break;
    }
  }
  if (status) *status = 0;
  return 0;
}
