// A vector of float32 as wide as the processor's, and the few operations that C++ has no sign for.
//
// Every operation is rounded once, on every processor: the flow does not depend on where it is
// computed. So `fma` is one operation even where the processor has none.
#pragma once

#include <cmath>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace tvl1 {

#if defined(__AVX512F__)
constexpr int WIDTH = 16;
#elif defined(__AVX2__)
constexpr int WIDTH = 8;
#else
constexpr int WIDTH = 4;
#endif

typedef float Lanes __attribute__((vector_size(4 * WIDTH)));
typedef int Ints __attribute__((vector_size(4 * WIDTH)));
typedef float Channels __attribute__((vector_size(16)));  // of one pixel

template <class V = Lanes> inline V load(const float* from) {
    V lanes;
    std::memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

template <class V> inline void store(float* to, V lanes) { std::memcpy(to, &lanes, sizeof lanes); }

template <class V = Lanes> inline V all(float value) { return V{} + value; }

// 0, 1, 2, ...
inline Lanes ramp() {
    Lanes lanes;
    for (int k = 0; k < WIDTH; k++) lanes[k] = k;
    return lanes;
}

#if defined(__FMA__) || defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA)
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
// The product is exact in float64. The sum is rounded to odd there, so that rounding it again, to
// float32, does no harm (Boldo and Melquiond, 2008).
inline float fma(float a, float b, float c) {
    const double product = double(a) * b, sum = product + c;
    const double back = sum - product, lost = (product - (sum - back)) + (c - back);
    long long bits;
    std::memcpy(&bits, &sum, sizeof bits);
    if (lost != 0 && !(bits & 1)) bits += (lost > 0) == (sum > 0) ? 1 : -1;
    double odd;
    std::memcpy(&odd, &bits, sizeof odd);
    return float(odd);
}
#endif

#if defined(__AVX512F__)
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
inline Channels fma(Channels a, Channels b, Channels c) { return _mm_fmadd_ps(a, b, c); }
inline Lanes root(Lanes x) { return _mm512_sqrt_ps(x); }
#elif defined(__AVX2__)
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
inline Channels fma(Channels a, Channels b, Channels c) { return _mm_fmadd_ps(a, b, c); }
inline Lanes root(Lanes x) { return _mm256_sqrt_ps(x); }
#else
inline Lanes fma(Lanes a, Lanes b, Lanes c) {
    for (int k = 0; k < WIDTH; k++) c[k] = fma(a[k], b[k], c[k]);
    return c;
}
inline Lanes root(Lanes x) {
    for (int k = 0; k < WIDTH; k++) x[k] = std::sqrt(x[k]);
    return x;
}
#endif

inline Lanes min(Lanes a, Lanes b) { return a < b ? a : b; }
inline Lanes max(Lanes a, Lanes b) { return a > b ? a : b; }
inline Lanes magnitude(Lanes x) { return (Lanes)((Ints)x & 0x7fffffff); }
inline Lanes with_sign(Lanes size, Lanes sign) {
    return (Lanes)((Ints)size | ((Ints)sign & ~0x7fffffff));
}

}  // namespace tvl1
