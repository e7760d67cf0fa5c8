/* The part of the vendor's C interface that this project uses, in its own words.
 *
 * Names, types and values only, for 64-bit little-endian Linux. It includes nothing, so it can be
 * read by bindgen without C headers, by C and by C++. A section per shared object; `bindgen.args`
 * says how the Rust bindings are made from it.
 */
#ifndef LANESCOPE_CANN_H
#define LANESCOPE_CANN_H

typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __SIZE_TYPE__ size_t;

#ifdef __cplusplus
extern "C" {
#endif

/* ---- libruntime.so ------------------------------------------------------------------------- */

typedef int32_t rtError_t;
typedef uint32_t rtMemType_t;
typedef uint32_t rtMemcpyKind_t;
typedef void *rtStream_t;
typedef void *rtBinHandle;
typedef void *rtFuncHandle;

/* Memory types of rtMalloc. */
#define CANN_RT_MEMORY_DEFAULT 0x0
#define CANN_RT_MEMORY_HBM 0x2

/* Directions of rtMemcpy. */
#define CANN_RT_COPY_HOST_TO_HOST 0
#define CANN_RT_COPY_HOST_TO_DEVICE 1
#define CANN_RT_COPY_DEVICE_TO_HOST 2
#define CANN_RT_COPY_DEVICE_TO_DEVICE 3

/* What a binary given to rtRegisterAllKernel is. ELF: a mix of cube and vector kernels. */
#define CANN_RT_MAGIC_ELF 0x43554245
#define CANN_RT_MAGIC_ELF_AIVEC 0x41415246
#define CANN_RT_MAGIC_ELF_AICUBE 0x41494343
#define CANN_RT_MAGIC_ELF_AICPU 0x41415243

/* Kernel types of rtAicpuKernelLaunchExWithArgs. */
#define CANN_RT_KERNEL_FWK 1
#define CANN_RT_KERNEL_AICPU 2
#define CANN_RT_KERNEL_AICPU_CUSTOM 4
#define CANN_RT_KERNEL_AICPU_KFC 5

/* schemMode: BATCH starts every block together. */
#define CANN_RT_SCHEDULE_NORMAL 0
#define CANN_RT_SCHEDULE_BATCH 1

/* Options of rtsBinaryLoadFromFile; mode 0: the file is JSON and the object is on the device. */
#define CANN_RT_LOAD_LAZY 1
#define CANN_RT_LOAD_MAGIC 2
#define CANN_RT_LOAD_CPU_KERNEL_MODE 3

typedef struct {
    uint32_t magic;
    uint32_t version;
    const void *data;
    uint64_t length;
} rtDevBinary_t;

typedef struct {
    void *args;
    void *hostInputInfoPtr;
    uint32_t argsSize;
    uint32_t tilingAddrOffset;
    uint32_t tilingDataOffset;
    uint16_t hostInputInfoNum;
    uint8_t hasTiling;
    uint8_t isNoNeedH2DCopy;
    uint8_t reserved[8];
} rtArgsEx_t;

typedef struct {
    void *args;
    void *hostInputInfoPtr;
    void *kernelOffsetInfoPtr;
    uint32_t argsSize;
    uint16_t hostInputInfoNum;
    uint16_t kernelOffsetInfoNum;
    uint32_t soNameAddrOffset;
    uint32_t kernelNameAddrOffset;
    uint8_t isNoNeedH2DCopy;
    uint8_t padding;
    uint16_t timeout;
    uint32_t paddingEnd;
} rtAicpuArgsEx_t;

typedef struct {
    uint8_t qos;
    uint8_t partId;
    uint8_t schemMode;
    uint8_t d2dCrossFlag;
    uint32_t blockDimOffset;
    uint8_t dumpflag;
    uint8_t neverTimeout;
    uint8_t rev[2];
    uint32_t localMemorySize;
} rtTaskCfgInfo_t;

/* Never looked into: the pointer is always null. */
typedef struct rtSmDesc rtSmDesc_t;

typedef struct {
    uint32_t optionId;
    uint32_t value[4];
} rtLoadBinaryOption_t;

typedef struct {
    rtLoadBinaryOption_t *options;
    size_t numOpt;
} rtLoadBinaryConfig_t;

typedef struct {
    rtAicpuArgsEx_t baseArgs;
    uint64_t cpuParamHeadOffset;
    uint64_t reserved[2];
} rtCpuKernelArgs_t;

typedef struct {
    uint32_t id;
    uint32_t value[4];
} rtLaunchKernelAttr_t;

typedef struct {
    rtLaunchKernelAttr_t *attrs;
    size_t numAttrs;
} rtKernelLaunchCfg_t;

rtError_t rtSetDevice(int32_t device);
rtError_t rtDeviceReset(int32_t device);
rtError_t rtMalloc(void **pointer, uint64_t size, rtMemType_t type, const uint16_t module);
rtError_t rtFree(void *pointer);
rtError_t rtMemcpy(void *to, uint64_t to_size, const void *from, uint64_t count,
                   rtMemcpyKind_t kind);
rtError_t rtStreamCreate(rtStream_t *stream, int32_t priority);
rtError_t rtStreamDestroy(rtStream_t stream);
rtError_t rtStreamSynchronize(rtStream_t stream);
rtError_t rtStreamSynchronizeWithTimeout(rtStream_t stream, int32_t timeout_ms);
rtError_t rtStreamQuery(rtStream_t stream);
rtError_t rtGetC2cCtrlAddr(uint64_t *address, uint32_t *length);
rtError_t rtRegisterAllKernel(const rtDevBinary_t *binary, void **handle);
rtError_t rtDevBinaryUnRegister(void *handle);
rtError_t rtKernelLaunchWithHandleV2(void *handle, const uint64_t tiling_key, uint32_t blocks,
                                     rtArgsEx_t *args, rtSmDesc_t *sm, rtStream_t stream,
                                     const rtTaskCfgInfo_t *config);
rtError_t rtAicpuKernelLaunchExWithArgs(const uint32_t kernel_type, const char *const op_name,
                                        const uint32_t blocks, const rtAicpuArgsEx_t *args,
                                        rtSmDesc_t *const sm, const rtStream_t stream,
                                        const uint32_t flags);
rtError_t rtsBinaryLoadFromFile(const char *const path, const rtLoadBinaryConfig_t *const config,
                                rtBinHandle *handle);
rtError_t rtsBinaryUnload(const rtBinHandle handle);
rtError_t rtsFuncGetByName(const rtBinHandle handle, const char *name, rtFuncHandle *function);
rtError_t rtsLaunchCpuKernel(const rtFuncHandle function, uint32_t blocks, rtStream_t stream,
                             const rtKernelLaunchCfg_t *config, rtCpuKernelArgs_t *args);

/* ---- libascend_hal.so: device ids are the driver's, not the logical ones --------------------- */

/* An unsigned number: 0, or what went wrong. */
typedef uint32_t drvError_t;

/* Map types of halHostRegister: device memory from rtMalloc, seen by the host. */
#define CANN_HAL_DEV_SVM_MAP_HOST 2

/* halMemCtl. */
#define CANN_HAL_CTRL_ADDR_MAP 0
#define CANN_HAL_CTRL_ADDR_UNMAP 1
#define CANN_HAL_REG_AIC_CTRL 2
#define CANN_HAL_REG_AIC_PMU_CTRL 3

/* halResMap. */
#define CANN_HAL_PROCESS_CP1 0
#define CANN_HAL_RES_AICORE 0

/* halGetDeviceInfo and halGetDeviceInfoByBuff: module, then info. */
#define CANN_HAL_MODULE_AICPU 1
#define CANN_HAL_MODULE_AICORE 4
#define CANN_HAL_MODULE_VECTOR_CORE 7
#define CANN_HAL_INFO_CORE_NUM 3
#define CANN_HAL_INFO_OCCUPY 8

typedef struct {
    uint32_t addr_type;
    uint32_t devid;
} AddrMapInPara;

typedef struct {
    uint64_t ptr;
    uint64_t len;
} AddrMapOutPara;

struct res_map_info {
    uint32_t target_proc_type;
    uint32_t res_type;
    uint32_t res_id;
    uint32_t flag;
    uint32_t rsv[1];
};

drvError_t halHostRegister(void *source, uint64_t size, uint32_t flag, uint32_t device,
                           void **host);
drvError_t halHostUnregister(void *source, uint32_t device);
drvError_t halHostUnregisterEx(void *source, uint32_t device, uint32_t flag);
drvError_t halMemCtl(int type, void *in, size_t in_size, void *out, size_t *out_size);
drvError_t halResMap(unsigned int device, struct res_map_info *resource, unsigned long *address,
                     unsigned int *length);
drvError_t halResUnmap(unsigned int device, struct res_map_info *resource);
drvError_t halGetDeviceInfo(uint32_t device, int32_t module, int32_t info, int64_t *value);
drvError_t halGetDeviceInfoByBuff(uint32_t device, int32_t module, int32_t info, void *buffer,
                                  int32_t *size);

/* ---- libascendcl.so -------------------------------------------------------------------------- */

typedef int aclError;
typedef void *aclrtStream;
typedef uint32_t aclrtDevResLimitType;

#define CANN_ACL_LIMIT_CUBE 0
#define CANN_ACL_LIMIT_VECTOR 1

aclError aclInit(const char *config_path);
aclError aclFinalize(void);
aclError aclrtSetDevice(int32_t device);
aclError aclrtResetDevice(int32_t device);
aclError aclrtResetDeviceForce(int32_t device);
aclError aclrtGetDevice(int32_t *device);
aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout_ms);
aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout_ms);
aclError aclrtSetOpExecuteTimeOutV2(uint64_t timeout_us, uint64_t *actual_us);
aclError aclrtGetStreamResLimit(aclrtStream stream, aclrtDevResLimitType type, uint32_t *value);
const char *aclrtGetSocName(void);
const char *aclGetRecentErrMsg(void);

#ifdef __cplusplus
}
#endif

#endif
