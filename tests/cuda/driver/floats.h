// Numbers as libraries on the stand-in driver read and write them.
#pragma once

#include <stdint.h>
#include <string.h>

#include <cstddef>

namespace driver {

enum Float { SINGLE, HALF, BFLOAT };

inline size_t size_of(Float type) { return type == SINGLE ? 4 : 2; }

inline float widened(Float type, const char *at) {
    if (type == SINGLE) return *(const float *)at;
    if (type == HALF) return (float)*(const _Float16 *)at;
    const uint32_t wide = (uint32_t) * (const uint16_t *)at << 16;
    float x;
    memcpy(&x, &wide, 4);
    return x;
}
// To the nearest float that has so many bits less.
inline float rounded(float x, int bits) {
    uint32_t n;
    memcpy(&n, &x, 4);
    n += (1u << (bits - 1)) - 1 + (n >> bits & 1);
    n = n >> bits << bits;
    memcpy(&x, &n, 4);
    return x;
}
inline void narrowed(Float type, char *at, float x) {
    if (type == SINGLE) {
        *(float *)at = x;
    } else if (type == HALF) {
        *(_Float16 *)at = (_Float16)x;
    } else {
        const float near = rounded(x, 16);
        memcpy(at, (const char *)&near + 2, 2);
    }
}

}  // namespace driver
