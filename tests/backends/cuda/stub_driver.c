/* A stand-in for NVIDIA's driver library: the half of the CUDA backend that talks to the driver can be tested with it
 * on a machine without a GPU. It keeps the driver's books and runs no kernel.
 *
 *   memory   Device memory is host memory under an address the host cannot follow: touching it there is a crash, as it
 *            is with a GPU. There are STUB_MEMORY bytes of it (environment), beyond that CUDA_ERROR_OUT_OF_MEMORY.
 *   order    Asynchronous work is queued. It is done at once; or, after stub_hold(1), only when somebody waits for it,
 *            like on the slowest of all GPUs: events are not ready, and a buffer reused too early gives wrong numbers.
 *   kernels  A kernel's parameters, registers and shared memory are read from its machine code. A launch is checked
 *            and remembered with the bytes of its parameters: stub_launch(0) is the latest.
 *   threads  Every thread needs a current context of its own, as with the driver.
 *
 * Tests reach it through ctypes (stub.py): see the end of this file. A function that is not here returns
 * CUDA_ERROR_NOT_SUPPORTED and is listed by stub_missing(). STUB_DEVICES says how many GPUs there are (1),
 * STUB_INIT_ERROR what cuInit returns (0).
 */
#include <elf.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { /* from cuda.h */
    SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
    INVALID_IMAGE = 200, INVALID_CONTEXT = 201, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600,
    ILLEGAL_ADDRESS = 700, LAUNCH_OUT_OF_RESOURCES = 701, NOT_SUPPORTED = 801
};
typedef uint64_t Pointer; /* CUdeviceptr */
typedef unsigned int uint;

/* ---- counting calls, and letting them fail ----------------------------------------------------------------------- */

typedef struct Slot {
    const char *name;
    void *function;
    long calls;
    int failure; /* what it returns instead of working, */
    long after;  /* once it has worked so many times more */
} Slot;

static Slot *find(const char *name);
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int lock(void) { return pthread_mutex_lock(&mutex); }
static void unlock(int *unused) { pthread_mutex_unlock(&mutex); }
static int called(Slot *slot) {
    slot->calls++;
    return slot->failure && slot->after-- <= 0 ? slot->failure : SUCCESS;
}

#define LOCKED __attribute__((cleanup(unlock), unused)) int locked = lock() /* until the end of the function */
/* The first line of every driver function. */
#define ENTER                             \
    LOCKED;                               \
    static Slot *slot;                    \
    if (!slot) slot = find(__func__);     \
    if ((locked = called(slot))) return locked
#define REQUIRE(condition, error) do { if (!(condition)) return (error); } while (0)

static size_t setting(const char *name, size_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- the device, and the context that every thread makes current for itself -------------------------------------- */

static int initialized;
static char primary_context; /* its address is its handle */
static __thread void *contexts[16];
static __thread int depth;
#define CURRENT (depth ? contexts[depth - 1] : NULL)
#define NEED_CONTEXT REQUIRE(initialized, NOT_INITIALIZED); REQUIRE(CURRENT, INVALID_CONTEXT)

static int devices(void) { return (int)setting("STUB_DEVICES", 1); }

static int cuInit(uint flags) {
    ENTER;
    int error = (int)setting("STUB_INIT_ERROR", devices() ? SUCCESS : NO_DEVICE);
    initialized = !error;
    return error;
}
static int cuDriverGetVersion(int *version) { ENTER; *version = 13000; return SUCCESS; }
static int cuDeviceGetCount(int *number) {
    ENTER;
    REQUIRE(initialized, NOT_INITIALIZED);
    *number = devices();
    return SUCCESS;
}
static int cuDeviceGet(int *device, int ordinal) {
    ENTER;
    REQUIRE(initialized, NOT_INITIALIZED);
    REQUIRE(ordinal >= 0 && ordinal < devices(), INVALID_DEVICE);
    *device = ordinal;
    return SUCCESS;
}
static int cuDeviceGetName(char *name, int size, int device) {
    ENTER;
    snprintf(name, size, "Stub GPU %d", device);
    return SUCCESS;
}
static int cuDeviceGetUuid(char *uuid, int device) { ENTER; memset(uuid, device, 16); return SUCCESS; }
static int cuDeviceGetAttribute(int *value, int attribute, int device) {
    ENTER;
    static const int known[][2] = { /* CUdevice_attribute, and what an H100 says */
        {1, 1024}, {2, 1024}, {3, 1024}, {4, 64},                   /* threads in a block, and along x, y, z */
        {5, 2147483647}, {6, 65535}, {7, 65535},                    /* blocks along x, y, z */
        {8, 49152}, {97, 232448}, {81, 233472},                     /* shared memory of a block, of a processor */
        {12, 65536}, {82, 65536}, {10, 32}, {39, 2048}, {106, 32},  /* registers, threads of a warp, of a processor */
        {16, 132}, {75, 9}, {76, 0}, {38, 52428800},                /* processors, compute capability, level-2 cache */
        {19, 1}, {31, 1}, {40, 3}, {41, 1}, {115, 1},               /* mapping, concurrency, unified addresses, pools */
    };
    *value = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i][0] == attribute) *value = known[i][1];
    return SUCCESS;
}
static int cuDevicePrimaryCtxRetain(void **context, int device) {
    ENTER;
    REQUIRE(initialized, NOT_INITIALIZED);
    REQUIRE(device >= 0 && device < devices(), INVALID_DEVICE);
    *context = &primary_context;
    return SUCCESS;
}
static int cuDevicePrimaryCtxRelease(int device) { ENTER; return SUCCESS; }
static int cuCtxGetCurrent(void **context) {
    ENTER;
    REQUIRE(initialized, NOT_INITIALIZED);
    *context = CURRENT;
    return SUCCESS;
}
static int cuCtxSetCurrent(void *context) {
    ENTER;
    if (depth) depth--;
    if (context) contexts[depth++] = context;
    return SUCCESS;
}
static int cuCtxPushCurrent(void *context) {
    ENTER;
    REQUIRE(context && depth < 16, INVALID_CONTEXT);
    contexts[depth++] = context;
    return SUCCESS;
}
static int cuCtxPopCurrent(void **context) {
    ENTER;
    REQUIRE(depth, INVALID_CONTEXT);
    *context = contexts[--depth];
    return SUCCESS;
}
static int cuCtxGetDevice(int *device) { ENTER; NEED_CONTEXT; *device = 0; return SUCCESS; }
static int cuCtxGetStreamPriorityRange(int *least, int *greatest) { ENTER; *least = *greatest = 0; return SUCCESS; }

/* ---- memory ------------------------------------------------------------------------------------------------------ */

#define TAG ((Pointer)1 << 53) /* makes a host address one that no processor follows */
#define HOST(pointer) ((char *)((pointer) & ~TAG))

typedef struct Range { char *start; size_t size; struct Range *next; } Range;
static Range *device_memory, *pinned_memory;
static size_t used;

static void work_off(const void *until);
static size_t capacity(void) { return setting("STUB_MEMORY", (size_t)256 << 20); }

static int within(const Range *ranges, const char *start, size_t size) {
    for (const Range *r = ranges; r; r = r->next)
        if (start >= r->start && start + size <= r->start + r->size) return 1;
    return 0;
}
static int on_device(Pointer pointer, size_t size) {
    return (pointer & TAG) && within(device_memory, HOST(pointer), size);
}
static char *add(Range **ranges, size_t size) { /* takes room only where it is written, so that it may be terabytes */
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return NULL;
    Range *r = malloc(sizeof *r);
    *r = (Range){start, size, *ranges};
    *ranges = r;
    return r->start;
}
static size_t drop(Range **ranges, const char *start) { /* returns its size, 0 if there is none */
    while (*ranges && (*ranges)->start != start) ranges = &(*ranges)->next;
    Range *r = *ranges;
    if (!r) return 0;
    size_t size = r->size;
    *ranges = r->next;
    munmap(r->start, size);
    free(r);
    return size;
}

static int cuDeviceTotalMem(size_t *bytes, int device) { ENTER; *bytes = capacity(); return SUCCESS; }
static int cuMemGetInfo(size_t *free_bytes, size_t *total) {
    ENTER;
    NEED_CONTEXT;
    *total = capacity();
    *free_bytes = *total - used;
    return SUCCESS;
}
static int cuMemAlloc(Pointer *pointer, size_t size) {
    ENTER;
    NEED_CONTEXT;
    REQUIRE(size, INVALID_VALUE);
    REQUIRE(size <= capacity() - used, OUT_OF_MEMORY);
    char *start = add(&device_memory, size);
    REQUIRE(start, OUT_OF_MEMORY);
    used += size;
    *pointer = (Pointer)start | TAG;
    return SUCCESS;
}
static int cuMemFree(Pointer pointer) {
    ENTER;
    NEED_CONTEXT;
    work_off(NULL); /* the driver, too, lets the GPU finish before it takes memory away */
    size_t size = drop(&device_memory, HOST(pointer));
    used -= size;
    return size || !pointer ? SUCCESS : INVALID_VALUE;
}
static int cuMemHostAlloc(void **pointer, size_t size, uint flags) {
    ENTER;
    NEED_CONTEXT;
    REQUIRE(size, INVALID_VALUE);
    *pointer = add(&pinned_memory, size);
    return *pointer ? SUCCESS : OUT_OF_MEMORY;
}
static int cuMemFreeHost(void *pointer) {
    ENTER;
    work_off(NULL);
    return drop(&pinned_memory, pointer) ? SUCCESS : INVALID_VALUE;
}

/* ---- streams, events, copies: the queue -------------------------------------------------------------------------- */

typedef struct Stream { uint flags; } Stream;
typedef struct Event { int pending; } Event;

/* One queue for all streams, done in the order it was asked for: right for a program with one stream. */
typedef struct Work {
    const void *stream;
    Event *event;       /* reached when the queue gets here; where it is NULL, `size` bytes are written: */
    char *target;
    const char *source; /* copied from here, or set to `value` where it is NULL */
    char *snapshot;     /* the source, where the stub has made a copy */
    size_t size;
    int value;
    struct Work *next;
} Work;
static Work *oldest, **newest = &oldest;
static int holding;

/* Do the queue up to and with the last piece of a stream or an event; NULL: all of it. */
static void work_off(const void *until) {
    int pieces = 0, last = 0;
    for (const Work *w = oldest; w; w = w->next) {
        pieces++;
        if (!until || w->stream == until || w->event == until) last = pieces;
    }
    while (last--) {
        Work *w = oldest;
        if (w->event) w->event->pending--;
        else if (w->source) memmove(w->target, w->source, w->size);
        else memset(w->target, w->value, w->size);
        oldest = w->next;
        free(w->snapshot);
        free(w);
    }
    if (!oldest) newest = &oldest;
}
static int enqueue(Work work) {
    Work *w = malloc(sizeof *w);
    *w = work;
    *newest = w;
    newest = &w->next;
    if (!holding) work_off(NULL);
    return SUCCESS;
}

static int cuCtxSynchronize(void) { ENTER; NEED_CONTEXT; work_off(NULL); return SUCCESS; }
static int new_stream(Stream **stream, uint flags) {
    NEED_CONTEXT;
    *stream = calloc(1, sizeof **stream);
    (*stream)->flags = flags;
    return SUCCESS;
}
static int cuStreamCreate(Stream **stream, uint flags) { ENTER; return new_stream(stream, flags); }
static int cuStreamCreateWithPriority(Stream **stream, uint flags, int priority) {
    ENTER;
    return new_stream(stream, flags);
}
static int cuStreamDestroy(Stream *stream) { ENTER; work_off(stream); free(stream); return SUCCESS; }
static int cuStreamSynchronize(Stream *stream) { ENTER; work_off(stream); return SUCCESS; }
static int cuStreamQuery(Stream *stream) {
    ENTER;
    for (const Work *w = oldest; w; w = w->next) REQUIRE(w->stream != stream, NOT_READY);
    return SUCCESS;
}
static int cuEventCreate(Event **event, uint flags) {
    ENTER;
    NEED_CONTEXT;
    *event = calloc(1, sizeof **event);
    return SUCCESS;
}
static int cuEventDestroy(Event *event) { ENTER; work_off(event); free(event); return SUCCESS; }
static int cuEventRecord(Event *event, Stream *stream) {
    ENTER;
    event->pending++;
    return enqueue((Work){.stream = stream, .event = event});
}
static int cuEventQuery(Event *event) { ENTER; return event->pending ? NOT_READY : SUCCESS; }
static int cuEventSynchronize(Event *event) { ENTER; work_off(event); return SUCCESS; }

static Slot pageable = {.name = "pageable"}; /* counts asynchronous copies that are none: host memory not pinned */

static int copy_async(Pointer target, Pointer source, size_t size, Stream *stream) {
    NEED_CONTEXT;
    REQUIRE(!(target & TAG) || on_device(target, size), INVALID_VALUE);
    REQUIRE(!(source & TAG) || on_device(source, size), INVALID_VALUE);
    Work work = {.stream = stream, .target = HOST(target), .source = HOST(source), .size = size};
    int from_pageable = !(source & TAG) && !within(pinned_memory, work.source, size);
    int to_pageable = !(target & TAG) && !within(pinned_memory, work.target, size);
    pageable.calls += from_pageable || to_pageable;
    if (from_pageable) /* the driver has read it when it returns */
        work.source = work.snapshot = memcpy(malloc(size + 1), work.source, size);
    enqueue(work);
    if (to_pageable) work_off(stream); /* the driver has filled it when it returns */
    return SUCCESS;
}
static int copy_now(Pointer target, Pointer source, size_t size) {
    int error = copy_async(target, source, size, NULL);
    work_off(NULL);
    return error;
}
#define ASYNCHRONOUS(name) \
    static int name(Pointer to, Pointer from, size_t size, Stream *s) { ENTER; return copy_async(to, from, size, s); }
#define SYNCHRONOUS(name) \
    static int name(Pointer to, Pointer from, size_t size) { ENTER; return copy_now(to, from, size); }
ASYNCHRONOUS(cuMemcpyAsync)
ASYNCHRONOUS(cuMemcpyHtoDAsync)
ASYNCHRONOUS(cuMemcpyDtoHAsync)
ASYNCHRONOUS(cuMemcpyDtoDAsync)
SYNCHRONOUS(cuMemcpy)
SYNCHRONOUS(cuMemcpyHtoD)
SYNCHRONOUS(cuMemcpyDtoH)
static int cuMemsetD8Async(Pointer target, unsigned char value, size_t size, Stream *stream) {
    ENTER;
    NEED_CONTEXT;
    REQUIRE(on_device(target, size), INVALID_VALUE);
    return enqueue((Work){.stream = stream, .target = HOST(target), .value = value, .size = size});
}

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

enum { PARAMETERS = 64, PARAMETER_BYTES = 1024, REMEMBERED = 1024 };

typedef struct Kernel {
    char *name;
    uint registers, shared, local, parameters;
    uint16_t offset[PARAMETERS], size[PARAMETERS];
    struct Kernel *next;
} Kernel;
typedef struct Library { char *image; Kernel *kernels; } Library;

typedef struct Launch { /* stub.py mirrors this */
    const char *name;
    uint grid[3], block[3], shared, parameters;
    uint16_t offset[PARAMETERS], size[PARAMETERS];
    unsigned char bytes[PARAMETER_BYTES];
} Launch;
static Launch launches[REMEMBERED];
static long launched;

/* Machine code is an ELF file; what belongs to one kernel is in sections named after it. */
static const Elf64_Shdr *section(const char *image, const char *prefix, const char *name) {
    const Elf64_Ehdr *elf = (const void *)image;
    const Elf64_Shdr *sections = (const void *)(image + elf->e_shoff);
    const char *names = image + sections[elf->e_shstrndx].sh_offset;
    for (int i = 0; i < elf->e_shnum; i++) {
        const char *found = names + sections[i].sh_name;
        if (!strncmp(found, prefix, strlen(prefix)) && !strcmp(found + strlen(prefix), name)) return &sections[i];
    }
    return NULL;
}
/* The next attribute in a list of them, NULL at the end. An attribute is its format, its kind, 16 bits, and, in format
 * 4, as many bytes as these 16 bits say. */
static const uint16_t *next_attribute(const char *image, const Elf64_Shdr *list, const uint16_t *last) {
    const char *p = (const char *)last;
    p = last ? p + 4 + ((last[0] & 255) == 4 ? last[1] : 0) : image + list->sh_offset;
    return p < image + list->sh_offset + list->sh_size ? (const void *)p : NULL;
}
static Kernel *describe(const char *image, const char *name) {
    const Elf64_Shdr *all = section(image, ".nv.info", ""), *own = section(image, ".nv.info.", name);
    const Elf64_Shdr *text = section(image, ".text.", name), *shared = section(image, ".nv.shared.", name);
    if (!all || !own || !text) return NULL;
    Kernel *kernel = calloc(1, sizeof *kernel);
    kernel->name = strdup(name);
    kernel->shared = shared ? (uint)shared->sh_size : 0;
    for (const uint16_t *a = NULL; (a = next_attribute(image, all, a));) { /* pairs: symbol of the kernel, number */
        if ((text->sh_info & 0xffffff) != (a[2] | (uint)a[3] << 16)) continue;
        if (a[0] == 0x2f04) kernel->registers = a[4];
        if (a[0] == 0x1104) kernel->local = a[4];
    }
    for (const uint16_t *a = NULL; (a = next_attribute(image, own, a));) { /* a parameter: place, offset, size */
        if (a[0] != 0x1704 || a[4] >= PARAMETERS) continue;
        kernel->offset[a[4]] = a[5];
        kernel->size[a[4]] = a[7] >> 2;
        if (a[4] >= kernel->parameters) kernel->parameters = a[4] + 1u;
    }
    return kernel;
}
static int cuLibraryLoadData(Library **library, const char *code, void *a, void *b, uint c, void *d, void *e, uint f) {
    ENTER;
    NEED_CONTEXT;
    const Elf64_Ehdr *elf = (const void *)code;
    REQUIRE(!memcmp(code, ELFMAG, SELFMAG), INVALID_IMAGE); /* PTX, which the driver would compile */
    size_t size = elf->e_shoff + (size_t)elf->e_shnum * sizeof(Elf64_Shdr);
    *library = calloc(1, sizeof **library);
    (*library)->image = memcpy(malloc(size), code, size);
    return SUCCESS;
}
static int cuLibraryUnload(Library *library) { ENTER; return SUCCESS; } /* launches keep its names */
static int cuLibraryGetKernel(Kernel **kernel, Library *library, const char *name) {
    ENTER;
    for (*kernel = library->kernels; *kernel; *kernel = (*kernel)->next)
        if (!strcmp((*kernel)->name, name)) return SUCCESS;
    *kernel = describe(library->image, name);
    REQUIRE(*kernel, NOT_FOUND);
    (*kernel)->next = library->kernels;
    library->kernels = *kernel;
    return SUCCESS;
}
static int cuKernelGetFunction(Kernel **function, Kernel *kernel) { ENTER; *function = kernel; return SUCCESS; }
static uint most_threads(const Kernel *kernel) { /* 65,536 registers, given out to warps in portions of 8 a thread */
    uint warps = 65536 / 32 / ((kernel->registers + 7) / 8 * 8 + !kernel->registers);
    return warps < 32 ? warps * 32 : 1024;
}
static int cuKernelGetAttribute(int *value, int attribute, Kernel *kernel, int device) {
    ENTER;
    uint known[] = {most_threads(kernel), kernel->shared, 0, kernel->local, kernel->registers, 90, 90};
    *value = attribute < 7 ? (int)known[attribute] : 0;
    return SUCCESS;
}
static int cuKernelGetParamInfo(Kernel *kernel, size_t index, size_t *offset, size_t *size) {
    ENTER;
    REQUIRE(index < kernel->parameters, INVALID_VALUE);
    *offset = kernel->offset[index];
    if (size) *size = kernel->size[index];
    return SUCCESS;
}

static int launch(Kernel *kernel, const uint *size, uint shared, void **parameters, void **extra) {
    static const uint limits[6] = {2147483647, 65535, 65535, 1024, 1024, 64};
    NEED_CONTEXT;
    REQUIRE(kernel, INVALID_HANDLE);
    for (int i = 0; i < 6; i++) REQUIRE(size[i] >= 1 && size[i] <= limits[i], INVALID_VALUE);
    size_t threads = (size_t)size[3] * size[4] * size[5];
    REQUIRE(threads <= 1024 && shared + kernel->shared <= 49152, INVALID_VALUE);
    REQUIRE(threads <= most_threads(kernel), LAUNCH_OUT_OF_RESOURCES);
    REQUIRE(parameters || !kernel->parameters, extra ? NOT_SUPPORTED : INVALID_VALUE);

    Launch *record = &launches[launched++ % REMEMBERED];
    *record = (Launch){.name = kernel->name, .shared = shared, .parameters = kernel->parameters};
    memcpy(record->grid, size, sizeof record->grid);
    memcpy(record->block, size + 3, sizeof record->block);
    memcpy(record->offset, kernel->offset, sizeof record->offset);
    memcpy(record->size, kernel->size, sizeof record->size);
    for (uint i = 0; i < kernel->parameters && kernel->offset[i] + kernel->size[i] <= PARAMETER_BYTES; i++)
        memcpy(record->bytes + kernel->offset[i], parameters[i], kernel->size[i]);
    return SUCCESS;
}
static int cuLaunchKernel(Kernel *kernel, uint gx, uint gy, uint gz, uint bx, uint by, uint bz, uint shared,
                          Stream *stream, void **parameters, void **extra) {
    ENTER;
    return launch(kernel, (uint[]){gx, gy, gz, bx, by, bz}, shared, parameters, extra);
}
typedef struct LaunchConfig { uint size[6], shared; Stream *stream; void *attributes; uint count; } LaunchConfig;
static int cuLaunchKernelEx(const LaunchConfig *config, Kernel *kernel, void **parameters, void **extra) {
    ENTER;
    return launch(kernel, config->size, config->shared, parameters, extra);
}

/* ---- how programs find the functions ----------------------------------------------------------------------------- */

static const char *error_text(int error) {
    switch (error) {
    case INVALID_VALUE: return "CUDA_ERROR_INVALID_VALUE";
    case OUT_OF_MEMORY: return "CUDA_ERROR_OUT_OF_MEMORY";
    case NO_DEVICE: return "CUDA_ERROR_NO_DEVICE";
    case INVALID_CONTEXT: return "CUDA_ERROR_INVALID_CONTEXT";
    case ILLEGAL_ADDRESS: return "CUDA_ERROR_ILLEGAL_ADDRESS";
    case LAUNCH_OUT_OF_RESOURCES: return "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES";
    case NOT_SUPPORTED: return "CUDA_ERROR_NOT_SUPPORTED";
    default: return "another error of stub_driver.c";
    }
}
static int cuGetErrorName(int error, const char **text) { ENTER; *text = error_text(error); return SUCCESS; }
static int cuGetErrorString(int error, const char **text) { ENTER; *text = error_text(error); return SUCCESS; }

#define F(f) {.name = #f, .function = (void *)f}
static Slot functions[] = {
    F(cuInit), F(cuDriverGetVersion), F(cuDeviceGetCount), F(cuDeviceGet), F(cuDeviceGetName), F(cuDeviceGetUuid),
    F(cuDeviceTotalMem), F(cuDeviceGetAttribute), F(cuDevicePrimaryCtxRetain), F(cuDevicePrimaryCtxRelease),
    F(cuCtxGetCurrent), F(cuCtxSetCurrent), F(cuCtxPushCurrent), F(cuCtxPopCurrent), F(cuCtxGetDevice),
    F(cuCtxGetStreamPriorityRange), F(cuCtxSynchronize), F(cuMemGetInfo), F(cuMemAlloc), F(cuMemFree),
    F(cuMemHostAlloc), F(cuMemFreeHost), F(cuMemcpy), F(cuMemcpyHtoD), F(cuMemcpyDtoH), F(cuMemcpyAsync),
    F(cuMemcpyHtoDAsync), F(cuMemcpyDtoHAsync), F(cuMemcpyDtoDAsync), F(cuMemsetD8Async), F(cuStreamCreate),
    F(cuStreamCreateWithPriority), F(cuStreamDestroy), F(cuStreamSynchronize), F(cuStreamQuery), F(cuEventCreate),
    F(cuEventDestroy), F(cuEventRecord), F(cuEventQuery), F(cuEventSynchronize), F(cuLibraryLoadData),
    F(cuLibraryUnload), F(cuLibraryGetKernel), F(cuKernelGetFunction), F(cuKernelGetAttribute),
    F(cuKernelGetParamInfo), F(cuLaunchKernel), F(cuLaunchKernelEx), F(cuGetErrorName), F(cuGetErrorString),
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };
static Slot *find(const char *name) {
    for (int i = 0; i < FUNCTIONS; i++)
        if (!strcmp(functions[i].name, name)) return &functions[i];
    return strcmp(name, pageable.name) ? NULL : &pageable;
}

/* A thousand functions that note they were called, one for each name that is asked for and not here. */
static struct { char name[64]; long calls; } missing[1000];
static int call_missing(int i) { missing[i].calls++; return NOT_SUPPORTED; }
#define ONES(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7) m(n##8) m(n##9)
#define TENS(m, n) ONES(m, n##0) ONES(m, n##1) ONES(m, n##2) ONES(m, n##3) ONES(m, n##4) \
    ONES(m, n##5) ONES(m, n##6) ONES(m, n##7) ONES(m, n##8) ONES(m, n##9)
#define THOUSAND(m) TENS(m, 0) TENS(m, 1) TENS(m, 2) TENS(m, 3) TENS(m, 4) \
    TENS(m, 5) TENS(m, 6) TENS(m, 7) TENS(m, 8) TENS(m, 9)
#define DEFINED(n) static int missing_##n(void) { return call_missing(1##n - 1000); }
#define NAMED(n) (void *)missing_##n,
THOUSAND(DEFINED)
static void *const missing_functions[] = {THOUSAND(NAMED)};

/* The one function that programs look up by name; it finds them all others. */
int cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags, int *status) {
    LOCKED;
    Slot *slot = find(name);
    if (status) *status = SUCCESS;
    *function = slot ? slot->function : NULL;
    for (int i = 0; i < 1000 && !*function; i++) {
        if (!missing[i].name[0]) snprintf(missing[i].name, sizeof missing[i].name, "%s", name);
        if (!strcmp(missing[i].name, name)) *function = missing_functions[i];
    }
    return *function ? SUCCESS : NOT_FOUND;
}

/* ---- what tests read and set ------------------------------------------------------------------------------------- */

/* How often a driver function (or "pageable") was called since the last reset; -1 if it is not here. */
long stub_calls(const char *name) {
    const Slot *slot = find(name);
    return slot ? slot->calls : -1;
}
void stub_reset(void) {
    for (int i = 0; i < FUNCTIONS; i++) functions[i].calls = functions[i].failure = 0;
    pageable.calls = launched = 0;
}
/* Let a driver function return an error, from `after` calls on; until the next reset. */
void stub_fail(const char *name, int error, long after) {
    Slot *slot = find(name);
    slot->failure = error;
    slot->after = after;
}
/* 1: asynchronous work waits until somebody waits for it. 0: do what has waited, then everything at once again. */
void stub_hold(int hold) {
    LOCKED;
    holding = hold;
    if (!hold) work_off(NULL);
}
size_t stub_used(void) { return used; }
int stub_on_device(Pointer pointer, size_t size) { return on_device(pointer, size); }
/* A launch since the last reset: the latest (0), the one before (1), ...; NULL if there is none or it is forgotten. */
const Launch *stub_launch(long age) {
    return age < launched && age < REMEMBERED ? &launches[(launched - 1 - age) % REMEMBERED] : NULL;
}
/* The functions that were called and are not here, one on a line. */
const char *stub_missing(void) {
    static char text[65536];
    text[0] = 0;
    for (int i = 0; i < 1000; i++)
        if (missing[i].calls) strcat(strcat(text, missing[i].name), "\n");
    return text;
}
