// The inner iterations of TV-L1: one pass over memory each.
//
// Compiled as it is, the formulas and the order of every operation are those of numba_iteration.py,
// where they are explained: both give the same flow to the last bit. With TVL1_FAST, what OpenCV does
// in float64 or rounds twice is done in float32 and rounded once.
#pragma once

#include "lanes.hpp"
#include "level.hpp"

namespace tvl1 {

#if defined(TVL1_FAST)
constexpr bool EXACT = false;
#else
constexpr bool EXACT = true;
#endif

struct Steps {
    float data, theta, dual;  // lambda theta, theta, tau / theta
};

// p11 - p11 to the left + p12 - p12 above, and the same of p21 and p22. In column 0, OpenCV adds up
// in another order.
template <bool AT_EDGE>
inline Lanes divergence(const float* px, const float* py, const float* above, int x) {
    const Lanes along = load(px + x), down = load(py + x), before = load(above + x);
    const Lanes inner = (along - load(px + x - 1)) + (down - before);
    if (!AT_EDGE) return inner;
    return ramp() > 0.0f ? inner : (along + down) - before;
}

// a * b + c, in OpenCV's two roundings or in one.
inline Lanes add_product(Lanes a, Lanes b, Lanes c) { return EXACT ? a * b + c : fma(a, b, c); }

// a / n, as if divided: `inverse` is 1 / n, rounded (Markstein, 1990).
inline Lanes quotient(Lanes a, Lanes n, Lanes inverse) {
    const Lanes guess = a * inverse;
    return fma(fma(-guess, n, a), inverse, guess);
}

// rho / |grad I1|^2 within +-lambda theta: the thresholding step along -grad I1.
inline Lanes data_step(Lanes rho, Lanes grad_x, Lanes grad_y, Lanes inverse, Lanes limit) {
    if (!EXACT) return max(min(rho * inverse, limit), -limit);
    const Lanes square = grad_x * grad_x + grad_y * grad_y, step = quotient(rho, square, inverse);
    return magnitude(rho) > limit * square ? with_sign(limit, rho) : step;
}

// Moves the flow of a row from x on, and adds |du|^2 to `moved`.
template <bool AT_EDGE>
inline void move_flow(const Row& row, const Row& above, int x, const Steps& s, float* moved) {
    const Lanes u1 = load(row.u1 + x), u2 = load(row.u2 + x), theta = all(s.theta);
    const Lanes grad_x = load(row.grad_x + x), grad_y = load(row.grad_y + x);
    const Lanes rho = load(row.rho_c + x) + add_product(grad_x, u1, grad_y * u2);
    const Lanes d = data_step(rho, grad_x, grad_y, load(row.inverse + x), all(s.data));
    const Lanes div1 = divergence<AT_EDGE>(row.p11, row.p12, above.p12, x);
    const Lanes div2 = divergence<AT_EDGE>(row.p21, row.p22, above.p22, x);
    const Lanes new1 = add_product(theta, div1, add_product(-d, grad_x, u1));
    const Lanes new2 = add_product(theta, div2, add_product(-d, grad_y, u2));
    const Lanes du1 = new1 - u1, du2 = new2 - u2;
    store(row.u1 + x, new1);
    store(row.u2 + x, new2);
    store(moved + x, fma(du2, du2, fma(du1, du1, load(moved + x))));
}

inline void move_flow_row(const Row& row, const Row& above, int width, const Steps& s, float* moved) {
    move_flow<true>(row, above, 0, s, moved);
    for (int x = WIDTH; x < width; x += WIDTH) move_flow<false>(row, above, x, s, moved);
}

// sqrt(x^2 + y^2), exactly as if by way of float64.
inline Lanes length(Lanes x, Lanes y) {
    if (!EXACT) return root(fma(x, x, y * y));
    const Lanes a = magnitude(x), b = magnitude(y), small = min(a, b), large = max(a, b);
    const Lanes square = fma(large, large, all(1e-24f)), total = fma(small, small, square);
    const Lanes lost = fma(large, large, -square) + fma(small, small, square - total);
    const Lanes g = root(total);
    return fma(fma(-g, g, total) + lost, 0.5f / g, g);
}

struct Gradient {
    Lanes x, y, n;  // n = 1 + tau / theta |gradient|
};

inline Gradient gradient(const float* u, const float* below, int x, Lanes step, Lanes has_right) {
    const Lanes here = load(u + x);
    const Lanes ux = (load(u + x + 1) - here) * has_right, uy = load(below + x) - here;
    return {ux, uy, add_product(step, length(ux, uy), all(1))};
}

// p = (p + tau / theta gradient) / n. Two divisions wait less than one and its corrections would.
inline void move(float* px, float* py, const Gradient& to, Lanes step) {
    const Lanes x = add_product(step, to.x, load(px)), y = add_product(step, to.y, load(py));
    const Lanes inverse = 1.0f / to.n;  // of which `fast` alone makes use
    store(px, EXACT ? x / to.n : x * inverse);
    store(py, EXACT ? y / to.n : y * inverse);
}

inline void move_dual(const Row& row, const Row& below, int x, Lanes step, Lanes has_right) {
    const Gradient a = gradient(row.u1, below.u1, x, step, has_right);
    const Gradient b = gradient(row.u2, below.u2, x, step, has_right);
    move(row.p11 + x, row.p12 + x, a, step);
    move(row.p21 + x, row.p22 + x, b, step);
}

inline void move_dual_row(const Row& row, const Row& below, int width, const Steps& s) {
    const Lanes step = all(s.dual);
    int x = 0;
    for (; x + WIDTH < width; x += WIDTH) move_dual(row, below, x, step, all(1));
    const Lanes column = ramp() + float(x);
    move_dual(row, below, x, step, column < float(width - 1) ? all(1) : all(0));
}

// One iteration; returns the sum of |du|^2, px^2. `moved` has room for a row.
inline double iterate(const Level& level, const Steps& steps, float* moved) {
    const int width = level.width;
    std::memset(moved, 0, level.stride * sizeof(float));
    for (int y = 0; y < level.height; y++) {
        const Row row = level.row(y), above = level.row(y - 1);
        move_flow_row(row, above, width, steps, moved);
        if (y) move_dual_row(above, row, width, steps);
    }
    const Row last = level.row(level.height - 1);
    move_dual_row(last, last, width, steps);
    double sum = 0;
    for (int x = 0; x < width; x++) sum += moved[x];
    return sum;
}

}  // namespace tvl1
