/* How the vendor's libraries of the simulated driver forward to the state library.
 *
 * FORWARD(result, name, (parameters), (arguments)) defines the vendor's function `name`, which must
 * agree with its prototype in cann.h, as a call of `sim_<name>`.
 */
#ifndef LANESCOPE_SIM_FORWARD_H
#define LANESCOPE_SIM_FORWARD_H

#include "cann.h"

#ifdef __cplusplus
extern "C" {
#define SIZE_IS(type, bytes) static_assert(sizeof(type) == (bytes), #type)
#define OFFSET_IS(type, field, bytes) \
    static_assert(__builtin_offsetof(type, field) == (bytes), #type "." #field)
#else
#define SIZE_IS(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
#define OFFSET_IS(type, field, bytes) \
    _Static_assert(__builtin_offsetof(type, field) == (bytes), #type "." #field)
#endif

#define FORWARD(result, name, parameters, arguments) \
    extern result sim_##name parameters;             \
    result name parameters { return sim_##name arguments; }

#endif
