// TV-L1 optical flow of a pair of frames; compiled once for each set of instructions.
#include <cstdint>
#include <new>

#include "iteration.hpp"
#include "median.hpp"
#include "parameters.hpp"
#include "pyramid.hpp"
#include "warp.hpp"

namespace tvl1 {
namespace {

Image widened(const uint8_t* frame, int height, int width) {
    Image image(height, width);
    for (size_t k = 0; k < image.pixels.size(); k++) image.pixels[k] = frame[k];
    return image;
}

// The frames as float32 of 0 to 255, then ever smaller, no side below 16.
std::vector<Image> pyramid(Image image, const Parameters& p) {
    std::vector<Image> levels{std::move(image)};
    while (int(levels.size()) < p.scales) {
        const Image& last = levels.back();
        const int height = int(std::nearbyint(last.height * p.scale_step));
        const int width = int(std::nearbyint(last.width * p.scale_step));
        if (height < 16 || width < 16) break;
        levels.push_back(resize(last, height, width, 1 / p.scale_step, 1 / p.scale_step, 1));
    }
    return levels;
}

Image enlarged(const Image& flow, int height, int width, const Parameters& p) {
    if (flow.height == height && flow.width == width) return flow;
    const double down = double(flow.height) / height, along = double(flow.width) / width;
    return resize(flow, height, width, down, along, float(1 / p.scale_step));
}

// Moves the flow at one linearisation until it hardly moves.
void solve(const Level& level, Median& median, const Parameters& p, float* moved) {
    const Steps steps{float(p.lambda * p.theta), float(p.theta), float(p.tau / p.theta)};
    const double enough = float(p.epsilon * p.epsilon * level.height * level.width);
    for (int outer = 0; outer < p.outer_iterations; outer++) {
        if (p.median_size == 5) {
            median.filter(level, &Row::u1);
            median.filter(level, &Row::u2);
        }
        for (int inner = 0; inner < p.inner_iterations; inner++) {
            if (iterate(level, steps, moved) <= enough) return;
        }
    }
}

// Solves for the flow at one level of the pyramid, from a first guess, in place.
void refine(const Image& first, const Image& second, Image& u1, Image& u2, const Parameters& p) {
    const int height = first.height, width = first.width;
    const Level level(height, width);
    const Table table(second);
    Warp warp(table);
    Median median(width);
    const Floats moved = zeros(level.stride);
    for (int y = 0; y < height; y++) {
        std::memcpy(level.row(y).u1, u1.row(y), width * sizeof(float));
        std::memcpy(level.row(y).u2, u2.row(y), width * sizeof(float));
    }
    for (int k = 0; k < p.warps; k++) {
        for (int y = 0; y < height; y++) warp.linearise(first, level.row(y), y);
        solve(level, median, p, moved.get());
    }
    for (int y = 0; y < height; y++) {
        std::memcpy(u1.row(y), level.row(y).u1, width * sizeof(float));
        std::memcpy(u2.row(y), level.row(y).u2, width * sizeof(float));
    }
}

void flow(const uint8_t* frames, int height, int width, const Parameters& p, float* out) {
    const size_t size = size_t(height) * width;
    const auto first = pyramid(widened(frames, height, width), p);
    const auto second = pyramid(widened(frames + size, height, width), p);
    Image u1(first.back().height, first.back().width), u2 = u1;
    for (size_t k = first.size(); k-- > 0;) {
        u1 = enlarged(u1, first[k].height, first[k].width, p);
        u2 = enlarged(u2, first[k].height, first[k].width, p);
        refine(first[k], second[k], u1, u2, p);
    }
    std::memcpy(out, u1.pixels.data(), size * sizeof(float));
    std::memcpy(out + size, u2.pixels.data(), size * sizeof(float));
}

}  // namespace
}  // namespace tvl1

// frames: (2, height, width); out: (2, height, width), u then v, px. Returns 0, or 1 without memory.
extern "C" __attribute__((visibility("default"))) int tvl1_flow(const uint8_t* frames, int height,
                                                               int width,
                                                               const Parameters* parameters,
                                                               float* out) {
    try {
        tvl1::flow(frames, height, width, *parameters, out);
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}
