// Bilinear resizing in the rounding of OpenCV on x86; the formulas are those of numba_pyramid.py.
#pragma once

#include <vector>

#include "lanes.hpp"

namespace tvl1 {

struct Image {
    int height, width;
    std::vector<float> pixels;

    Image(int height, int width) : height(height), width(width), pixels(size_t(height) * width) {}
    float* row(int y) { return pixels.data() + size_t(y) * width; }
    const float* row(int y) const { return pixels.data() + size_t(y) * width; }
};

// The two pixels that an output lies between, and where.
struct Place {
    int low, high;
    float weight;
};

inline std::vector<Place> places(int count, int size, double scale) {
    std::vector<Place> all(count);
    for (int k = 0; k < count; k++) {
        const double place = (k + 0.5) * scale - 0.5;
        int before = int(std::floor(place));
        float weight = float(place - before);
        if (scale > 1 && before > size - 2) {
            before = size - 2;
            weight = 1;
        }
        all[k] = {before > 0 ? before : 0, before + 1 < size ? before + 1 : size - 1, weight};
    }
    return all;
}

inline void across(const float* row, const std::vector<Place>& places, float* out) {
    for (const Place& p : places) *out++ = fma(p.weight, row[p.high] - row[p.low], row[p.low]);
}

// `scale_y`, `scale_x`: pixels of `image` a pixel of the result; `gain`: what it is multiplied by.
inline Image resize(const Image& image, int height, int width, double scale_y, double scale_x,
                    float gain) {
    Image out(height, width);
    std::vector<float> upper(width), lower(width);
    const auto down = places(height, image.height, scale_y);
    const auto columns = places(width, image.width, scale_x);
    for (int y = 0; y < height; y++) {
        across(image.row(down[y].low), columns, upper.data());
        across(image.row(down[y].high), columns, lower.data());
        for (int x = 0; x < width; x++) {
            out.row(y)[x] = gain * fma(down[y].weight, lower[x] - upper[x], upper[x]);
        }
    }
    return out;
}

}  // namespace tvl1
