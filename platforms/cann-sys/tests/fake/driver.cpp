// A driver for tests: each function writes its name to a log, does the least that can work, and
// fails when told to. Built once per library with one of RUNTIME, HAL and ACL defined; the log and
// the orders to fail or to wait are files beside the library.
#include "cann.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>
#include <unistd.h>

#define STRINGIFY(x) #x
#define STRING(x) STRINGIFY(x)

// Calls of halMemCtl that find the driver busy.
#ifndef BUSY_CALLS
#define BUSY_CALLS 2
#endif

static std::string beside(const char *name) {
    Dl_info self;
    if (dladdr(reinterpret_cast<void *>(&beside), &self) == 0) std::abort();
    std::string path = self.dli_fname;
    return path.substr(0, path.rfind('/') + 1) + name;
}

static void note(const char *line) {
    if (FILE *log = std::fopen(beside("log").c_str(), "a")) {
        std::fprintf(log, "%s\n", line);
        std::fclose(log);
    }
}

// The file `fail` holds: function, calls to let through, code.
static int failure(const char *call) {
    char name[64];
    long skip = 0;
    unsigned code = 0;
    FILE *order = std::fopen(beside("fail").c_str(), "r");
    if (order == nullptr) return 0;
    bool complete = std::fscanf(order, "%63s %ld %u", name, &skip, &code) == 3;
    std::fclose(order);
    if (!complete || std::strcmp(name, call) != 0) return 0;
    if (skip > 0) {
        if (FILE *rest = std::fopen(beside("fail").c_str(), "w")) {
            std::fprintf(rest, "%s %ld %u\n", name, skip - 1, code);
            std::fclose(rest);
        }
        return 0;
    }
    return static_cast<int>(code);
}

// The file `hold` names a function whose next call does not return before the file `held`, to which
// it is renamed, is gone.
static void hold(const char *call) {
    char name[64] = {};
    FILE *order = std::fopen(beside("hold").c_str(), "r");
    if (order == nullptr) return;
    bool complete = std::fscanf(order, "%63s", name) == 1;
    std::fclose(order);
    if (!complete || std::strcmp(name, call) != 0) return;
    // Of two calls at once one is held.
    if (std::rename(beside("hold").c_str(), beside("held").c_str()) != 0) return;
    while (access(beside("held").c_str(), F_OK) == 0) usleep(1000);
}

#define ENTER(text)                                      \
    do {                                                 \
        note(text);                                      \
        hold(__func__);                                  \
        if (int code = failure(__func__)) return code;   \
    } while (0)

extern "C" {

#ifdef RUNTIME
static int object;

rtError_t rtSetDevice(int32_t) { ENTER("rtSetDevice"); return 0; }
rtError_t rtDeviceReset(int32_t) { ENTER("rtDeviceReset"); return 0; }
rtError_t rtMalloc(void **pointer, uint64_t size, rtMemType_t, const uint16_t) {
    ENTER("rtMalloc");
    *pointer = std::aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    return 0;
}
rtError_t rtFree(void *pointer) { ENTER("rtFree"); std::free(pointer); return 0; }
rtError_t rtMemcpy(void *to, uint64_t, const void *from, uint64_t count, rtMemcpyKind_t kind) {
    char line[64];
    std::snprintf(line, sizeof line, "rtMemcpy %u %lu", kind, count);
    ENTER(line);
#ifdef SLOW_COPIES
    // Long enough that two threads at it meet.
    static std::atomic<int> inside;
    if (inside++ != 0) note("two copies at once");
    usleep(1000);
#endif
    std::memcpy(to, from, count);
#ifdef SLOW_COPIES
    inside--;
#endif
    return 0;
}
rtError_t rtStreamCreate(rtStream_t *stream, int32_t) {
    ENTER("rtStreamCreate"); *stream = &object; return 0;
}
rtError_t rtStreamDestroy(rtStream_t) { ENTER("rtStreamDestroy"); return 0; }
rtError_t rtStreamSynchronizeWithTimeout(rtStream_t, int32_t) {
    ENTER("rtStreamSynchronizeWithTimeout"); return 0;
}
rtError_t rtDevBinaryUnRegister(void *) { ENTER("rtDevBinaryUnRegister"); return 0; }
rtError_t rtAicpuKernelLaunchExWithArgs(const uint32_t type, const char *const,
                                        const uint32_t blocks, const rtAicpuArgsEx_t *args,
                                        rtSmDesc_t *const, const rtStream_t, const uint32_t) {
    const char *blob = static_cast<const char *>(args->args);
    char line[256];
    std::snprintf(line, sizeof line, "rtAicpuKernelLaunchExWithArgs %u %s %s %u %u", type,
                  blob + args->kernelNameAddrOffset, blob + args->soNameAddrOffset, blocks,
                  args->argsSize);
    ENTER(line);
    return 0;
}
#ifndef WITHOUT_LAUNCH
rtError_t rtRegisterAllKernel(const rtDevBinary_t *binary, void **handle) {
    char line[64];
    std::snprintf(line, sizeof line, "rtRegisterAllKernel %x", binary->magic);
    ENTER(line);
    *handle = &object;
    return 0;
}
rtError_t rtKernelLaunchWithHandleV2(void *, const uint64_t key, uint32_t blocks, rtArgsEx_t *args,
                                     rtSmDesc_t *, rtStream_t, const rtTaskCfgInfo_t *config) {
    char line[128];
    std::snprintf(line, sizeof line, "rtKernelLaunchWithHandleV2 %lu %u %u %u", key, blocks,
                  args->argsSize, config->schemMode);
    ENTER(line);
    return 0;
}
#endif
#ifdef BY_NAME
rtError_t rtsBinaryLoadFromFile(const char *const path, const rtLoadBinaryConfig_t *const config,
                                rtBinHandle *handle) {
    char line[64];
    std::snprintf(line, sizeof line, "rtsBinaryLoadFromFile %u %u", config->options[0].optionId,
                  config->options[0].value[0]);
    ENTER(line);
    FILE *description = std::fopen(path, "r");
    if (description == nullptr) return 107000;
    char text[1024] = {};
    size_t length = std::fread(text, 1, sizeof text - 1, description);
    std::fclose(description);
    if (length == 0 || std::strstr(text, "\"functionName\": \"lanescope_aicpu_run\"") == nullptr)
        return 107000;
    *handle = &object;
    return 0;
}
rtError_t rtsBinaryUnload(const rtBinHandle) { ENTER("rtsBinaryUnload"); return 0; }
rtError_t rtsFuncGetByName(const rtBinHandle, const char *name, rtFuncHandle *function) {
    char line[128];
    std::snprintf(line, sizeof line, "rtsFuncGetByName %s", name);
    ENTER(line);
    *function = &object;
    return 0;
}
rtError_t rtsLaunchCpuKernel(const rtFuncHandle, uint32_t blocks, rtStream_t,
                             const rtKernelLaunchCfg_t *, rtCpuKernelArgs_t *args) {
    char line[64];
    std::snprintf(line, sizeof line, "rtsLaunchCpuKernel %u %u", blocks, args->baseArgs.argsSize);
    ENTER(line);
    return 0;
}
#endif
#endif

#ifdef HAL
drvError_t halGetDeviceInfoByBuff(uint32_t, int32_t, int32_t, void *buffer, int32_t *) {
    const uint64_t mask[2] = {0x1ffff7f, 0};
    std::memcpy(buffer, mask, sizeof mask);
    return 0;
}
drvError_t halGetDeviceInfo(uint32_t, int32_t module, int32_t, int64_t *value) {
    *value = module == CANN_HAL_MODULE_AICPU ? 0xfc : 36;
    return 0;
}
#ifndef WITHOUT_REGISTERS
drvError_t halHostRegister(void *source, uint64_t, uint32_t flag, uint32_t device, void **host) {
    char line[64];
    std::snprintf(line, sizeof line, "halHostRegister %u %u", flag, device);
    ENTER(line);
    *host = source;
    return 0;
}
drvError_t halHostUnregister(void *, uint32_t) { ENTER("halHostUnregister"); return 0; }
drvError_t halMemCtl(int, void *in, size_t, void *out, size_t *) {
    static int calls;
    ENTER("halMemCtl");
    if (calls++ < BUSY_CALLS) return 13;
    const bool is_pmu = static_cast<AddrMapInPara *>(in)->addr_type == CANN_HAL_REG_AIC_PMU_CTRL;
    AddrMapOutPara mapped = {is_pmu ? 0x60000000ul : 0x20000000ul, 25ul << 23};
    std::memcpy(out, &mapped, sizeof mapped);
    return 0;
}
drvError_t halResMap(unsigned int, res_map_info *resource, unsigned long *address,
                     unsigned int *) {
    ENTER("halResMap");
    *address = (resource->res_id + 1ul) << 28;
    return 0;
}
drvError_t halResUnmap(unsigned int, res_map_info *) { ENTER("halResUnmap"); return 0; }
#endif
#endif

#ifdef ACL
aclError aclrtResetDeviceForce(int32_t) { ENTER("aclrtResetDeviceForce"); return 0; }
const char *aclGetRecentErrMsg() { return "the fake says so\n  on two lines\n"; }
const char *aclrtGetSocName() { return STRING(SOC); }
#endif
}
