// Warps the second frame by the flow; the formulas are those of numba_warp.py.
#pragma once

#include "lanes.hpp"
#include "level.hpp"
#include "pyramid.hpp"

namespace tvl1 {

constexpr int MARGIN = 4;  // pixels of zeros around the table; who reads further out reads these
constexpr float FLAT = 1.1920929e-07f;  // squared gradients up to this count as 0

// Value, x gradient, y gradient and 0 of each pixel, zeros around them: what a warp reads.
class Table {
  public:
    const int height, width;

    explicit Table(const Image& image)
        : height(image.height), width(image.width), stride_(4 * (width + 2 * MARGIN)),
          memory_(zeros(size_t(height + 2 * MARGIN) * stride_)) {
        for (int y = 0; y < height; y++) fill(image, y);
    }

    int at(int y, int x) const { return (y + MARGIN) * stride_ + 4 * (x + MARGIN); }
    const float* data() const { return memory_.get(); }
    int stride() const { return stride_; }

  private:
    void fill(const Image& image, int y) {
        const float* row = image.row(y);
        const float *above = image.row(y ? y - 1 : 0), *below = image.row(y + 1 < height ? y + 1 : y);
        for (int x = 0; x < width; x++) {
            float* pixel = memory_.get() + at(y, x);
            pixel[0] = row[x];
            pixel[1] = 0.5f * (row[x + 1 < width ? x + 1 : x] - row[x ? x - 1 : 0]);
            pixel[2] = 0.5f * (below[x] - above[x]);
        }
    }

    const int stride_;
    Floats memory_;
};

// The weights of 4 neighbours at t in [0, 1) behind the second: Keys, 1981, a = -0.75.
inline void cubic(Lanes t, Lanes (&w)[4]) {
    constexpr float a = -0.75f;
    const Lanes rest = 1.0f - t, square = t * t;
    w[0] = a * (t * (rest * rest));
    w[1] = fma(fma(all(a + 2), t, all(-(a + 3))), square, all(1));
    w[3] = a * (square * rest);
    w[2] = 1.0f - w[0] - w[1] - w[3];
}

// Splits coordinates into whole pixels, from -3 to size + 1, and the rest of those within.
inline Ints split(Lanes to, int size, Lanes& rest) {
    to = min(max(to, all(-3)), all(size + 1));
    Ints whole = __builtin_convertvector(to, Ints);
    whole += __builtin_convertvector(whole, Lanes) > to;  // truncated to floor: true is -1
    rest = to - __builtin_convertvector(whole, Lanes);
    return whole;
}

// A row of the warped frame: where each pixel's 4 x 4 neighbours begin in the table, the weights, and
// the channels of the sums, each by itself.
class Warp {
  public:
    explicit Warp(const Table& table)
        : table_(table), length_((table.width + WIDTH - 1) / WIDTH * WIDTH), start_(length_),
          weights_(zeros(8 * length_)), warped_(zeros(3 * length_)) {}

    // Linearises the difference of the warped second frame to the first around the flow of row y.
    void linearise(const Image& first, const Row& row, int y) {
        for (int x = 0; x < table_.width; x += WIDTH) aim(row, x, y);
        for (int x = 0; x < table_.width; x++) {
            const Channels pixel = read(x);
            for (int k = 0; k < 3; k++) warped_[k * length_ + x] = pixel[k];
        }
        for (int x = 0; x < table_.width; x += WIDTH) terms(first.row(y), row, x);
    }

  private:
    void aim(const Row& row, int x, int y) {
        Lanes rest_x, rest_y, w[4];
        const Lanes to_x = (ramp() + float(x)) + load(row.u1 + x);
        const Ints left = split(to_x, table_.width, rest_x);
        const Ints top = split(float(y) + load(row.u2 + x), table_.height, rest_y);
        const Ints from = (top + (MARGIN - 1)) * table_.stride() + 4 * (left + (MARGIN - 1));
        std::memcpy(start_.data() + x, &from, sizeof from);
        cubic(rest_x, w);
        for (int k = 0; k < 4; k++) store(weights_.get() + k * length_ + x, w[k]);
        cubic(rest_y, w);
        for (int k = 0; k < 4; k++) store(weights_.get() + (4 + k) * length_ + x, w[k]);
    }

    Channels read(int x) const {
        const float *from = table_.data() + start_[x], *wx = weights_.get() + x;
        const float* wy = wx + 4 * length_;
        Channels total{};
        for (int r = 0; r < 4; r++, from += table_.stride()) {
            Channels line = load<Channels>(from) * wx[0];
            for (int c = 1; c < 4; c++) {
                line = fma(load<Channels>(from + 4 * c), all<Channels>(wx[c * length_]), line);
            }
            total = r ? fma(line, all<Channels>(wy[r * length_]), total) : line * wy[0];
        }
        return total;
    }

    void terms(const float* first, const Row& row, int x) const {
        const float *channel = warped_.get() + x, *gradient = channel + length_;
        const Lanes value = load(channel), gx = load(gradient), gy = load(gradient + length_);
        Lanes from{};
        if (table_.width - x >= WIDTH) {
            from = load(first + x);
        } else {
            std::memcpy(&from, first + x, (table_.width - x) * sizeof(float));
        }
        const Lanes square = gx * gx + gy * gy;
        store(row.rho_c + x, value - gx * load(row.u1 + x) - gy * load(row.u2 + x) - from);
        store(row.grad_x + x, gx);
        store(row.grad_y + x, gy);
        store(row.inverse + x, square > FLAT ? 1.0f / square : all(0));
    }

    const Table& table_;
    const int length_;
    std::vector<int> start_;
    Floats weights_, warped_;
};

}  // namespace tvl1
