// One level of the pyramid as the solver holds it: ten planes.
//
// A plane is the image amid zeros, so that neighbours and whole vectors need no test of bounds: a
// row is `LEFT` zeros, the image, zeros; above the image and below it lies a row of zeros.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace tvl1 {

constexpr int BLOCK = 16, LEFT = BLOCK, PLANES = 10;

struct Free {
    void operator()(float* p) const { std::free(p); }
};
using Floats = std::unique_ptr<float[], Free>;

inline Floats zeros(size_t count) {
    const size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
    void* memory = std::aligned_alloc(64, bytes);
    if (!memory) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    return Floats(static_cast<float*>(memory));
}

struct Row {
    float *rho_c, *grad_x, *grad_y, *inverse, *u1, *u2, *p11, *p12, *p21, *p22;
};

class Level {
  public:
    const int height, width, stride;

    Level(int height, int width)
        : height(height), width(width), stride(LEFT + (width + BLOCK - 1) / BLOCK * BLOCK),
          plane_(size_t(height + 2) * stride + BLOCK), memory_(zeros(PLANES * plane_)) {}

    Row row(int y) const {
        float* p = memory_.get() + size_t(y + 1) * stride + LEFT;
        const size_t s = plane_;
        return {p,         p + s,     p + 2 * s, p + 3 * s, p + 4 * s,
                p + 5 * s, p + 6 * s, p + 7 * s, p + 8 * s, p + 9 * s};
    }

  private:
    const size_t plane_;
    Floats memory_;
};

}  // namespace tvl1
