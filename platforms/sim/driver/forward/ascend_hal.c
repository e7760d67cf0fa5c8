/* libascend_hal.so of the simulated driver: the vendor's names, forwarded. */
#include "forward.h"

SIZE_IS(AddrMapInPara, 8);
SIZE_IS(AddrMapOutPara, 16);
SIZE_IS(struct res_map_info, 20);
OFFSET_IS(struct res_map_info, res_id, 8);

FORWARD(drvError_t, halHostRegister,
        (void *source, uint64_t size, uint32_t flag, uint32_t device, void **host),
        (source, size, flag, device, host))
FORWARD(drvError_t, halHostUnregister, (void *source, uint32_t device), (source, device))
FORWARD(drvError_t, halHostUnregisterEx, (void *source, uint32_t device, uint32_t flag),
        (source, device, flag))
FORWARD(drvError_t, halMemCtl,
        (int type, void *in, size_t in_size, void *out, size_t *out_size),
        (type, in, in_size, out, out_size))
FORWARD(drvError_t, halResMap,
        (unsigned int device, struct res_map_info *resource, unsigned long *address,
         unsigned int *length),
        (device, resource, address, length))
FORWARD(drvError_t, halResUnmap, (unsigned int device, struct res_map_info *resource),
        (device, resource))
FORWARD(drvError_t, halGetDeviceInfo,
        (uint32_t device, int32_t module, int32_t info, int64_t *value),
        (device, module, info, value))
FORWARD(drvError_t, halGetDeviceInfoByBuff,
        (uint32_t device, int32_t module, int32_t info, void *buffer, int32_t *size),
        (device, module, info, buffer, size))

#ifdef __cplusplus
}
#endif
