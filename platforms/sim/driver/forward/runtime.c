/* libruntime.so of the simulated driver: the vendor's names, forwarded. */
#include "forward.h"

SIZE_IS(rtDevBinary_t, 24);
SIZE_IS(rtArgsEx_t, 40);
OFFSET_IS(rtArgsEx_t, argsSize, 16);
OFFSET_IS(rtArgsEx_t, isNoNeedH2DCopy, 31);
SIZE_IS(rtAicpuArgsEx_t, 48);
OFFSET_IS(rtAicpuArgsEx_t, argsSize, 24);
OFFSET_IS(rtAicpuArgsEx_t, soNameAddrOffset, 32);
OFFSET_IS(rtAicpuArgsEx_t, kernelNameAddrOffset, 36);
OFFSET_IS(rtAicpuArgsEx_t, isNoNeedH2DCopy, 40);
OFFSET_IS(rtAicpuArgsEx_t, timeout, 42);
SIZE_IS(rtTaskCfgInfo_t, 16);
OFFSET_IS(rtTaskCfgInfo_t, schemMode, 2);
SIZE_IS(rtLoadBinaryOption_t, 20);
SIZE_IS(rtLoadBinaryConfig_t, 16);
SIZE_IS(rtCpuKernelArgs_t, 72);
OFFSET_IS(rtCpuKernelArgs_t, cpuParamHeadOffset, 48);
SIZE_IS(rtLaunchKernelAttr_t, 20);
SIZE_IS(rtKernelLaunchCfg_t, 16);

FORWARD(rtError_t, rtSetDevice, (int32_t device), (device))
FORWARD(rtError_t, rtDeviceReset, (int32_t device), (device))
FORWARD(rtError_t, rtMalloc,
        (void **pointer, uint64_t size, rtMemType_t type, const uint16_t module),
        (pointer, size, type, module))
FORWARD(rtError_t, rtFree, (void *pointer), (pointer))
FORWARD(rtError_t, rtMemcpy,
        (void *to, uint64_t to_size, const void *from, uint64_t count, rtMemcpyKind_t kind),
        (to, to_size, from, count, kind))
FORWARD(rtError_t, rtStreamCreate, (rtStream_t *stream, int32_t priority), (stream, priority))
FORWARD(rtError_t, rtStreamDestroy, (rtStream_t stream), (stream))
FORWARD(rtError_t, rtStreamSynchronize, (rtStream_t stream), (stream))
FORWARD(rtError_t, rtStreamSynchronizeWithTimeout, (rtStream_t stream, int32_t timeout_ms),
        (stream, timeout_ms))
FORWARD(rtError_t, rtStreamQuery, (rtStream_t stream), (stream))
FORWARD(rtError_t, rtGetC2cCtrlAddr, (uint64_t *address, uint32_t *length), (address, length))
FORWARD(rtError_t, rtRegisterAllKernel, (const rtDevBinary_t *binary, void **handle),
        (binary, handle))
FORWARD(rtError_t, rtDevBinaryUnRegister, (void *handle), (handle))
FORWARD(rtError_t, rtKernelLaunchWithHandleV2,
        (void *handle, const uint64_t tiling_key, uint32_t blocks, rtArgsEx_t *args,
         rtSmDesc_t *sm, rtStream_t stream, const rtTaskCfgInfo_t *config),
        (handle, tiling_key, blocks, args, sm, stream, config))
FORWARD(rtError_t, rtAicpuKernelLaunchExWithArgs,
        (const uint32_t kernel_type, const char *const op_name, const uint32_t blocks,
         const rtAicpuArgsEx_t *args, rtSmDesc_t *const sm, const rtStream_t stream,
         const uint32_t flags),
        (kernel_type, op_name, blocks, args, sm, stream, flags))
FORWARD(rtError_t, rtsBinaryLoadFromFile,
        (const char *const path, const rtLoadBinaryConfig_t *const config, rtBinHandle *handle),
        (path, config, handle))
FORWARD(rtError_t, rtsBinaryUnload, (const rtBinHandle handle), (handle))
FORWARD(rtError_t, rtsFuncGetByName,
        (const rtBinHandle handle, const char *name, rtFuncHandle *function),
        (handle, name, function))
FORWARD(rtError_t, rtsLaunchCpuKernel,
        (const rtFuncHandle function, uint32_t blocks, rtStream_t stream,
         const rtKernelLaunchCfg_t *config, rtCpuKernelArgs_t *args),
        (function, blocks, stream, config, args))

#ifdef __cplusplus
}
#endif
