/* libascendcl.so of the simulated driver: the vendor's names, forwarded. */
#include "forward.h"

FORWARD(aclError, aclInit, (const char *config_path), (config_path))
FORWARD(aclError, aclFinalize, (void), ())
FORWARD(aclError, aclrtSetDevice, (int32_t device), (device))
FORWARD(aclError, aclrtResetDevice, (int32_t device), (device))
FORWARD(aclError, aclrtResetDeviceForce, (int32_t device), (device))
FORWARD(aclError, aclrtGetDevice, (int32_t *device), (device))
FORWARD(aclError, aclrtSynchronizeStreamWithTimeout, (aclrtStream stream, int32_t timeout_ms),
        (stream, timeout_ms))
FORWARD(aclError, aclrtSynchronizeDeviceWithTimeout, (int32_t timeout_ms), (timeout_ms))
FORWARD(aclError, aclrtSetOpExecuteTimeOutV2, (uint64_t timeout_us, uint64_t *actual_us),
        (timeout_us, actual_us))
FORWARD(aclError, aclrtGetStreamResLimit,
        (aclrtStream stream, aclrtDevResLimitType type, uint32_t *value), (stream, type, value))
FORWARD(const char *, aclrtGetSocName, (void), ())
FORWARD(const char *, aclGetRecentErrMsg, (void), ())

#ifdef __cplusplus
}
#endif
