// Median of 5x5 by a network of minima and maxima, that of numba_median.py.
//
// Two rows of medians at a time. Their windows have 4 x 5 pixels in common, of which only the 6 in
// the middle of the order can matter; each median is then the middle of these 6 and its own 5 others.
// All merging is Batcher's odd-even merge (1968). Sorted are integers of the floats' order, because
// processors have more units for their minima.
#pragma once

#include "lanes.hpp"
#include "level.hpp"

namespace tvl1 {

// The bits of floats as integers of the same order, and back.
inline Ints ordered(Ints bits) { return bits ^ (bits >> 31 & 0x7fffffff); }

inline Ints min(Ints a, Ints b) { return a < b ? a : b; }
inline Ints max(Ints a, Ints b) { return a > b ? a : b; }

inline void exchange(Ints& a, Ints& b) {
    const Ints low = min(a, b);
    b = max(a, b);
    a = low;
}

struct Two {
    Ints v[2];
};
struct Four {
    Ints v[4];
};

// Merges two sorted pairs.
inline Four merge_2(Two a, Two b) {
    const Ints low = max(a.v[0], b.v[0]), high = min(a.v[1], b.v[1]);
    return {min(a.v[0], b.v[0]), min(low, high), max(low, high), max(a.v[1], b.v[1])};
}

inline Two sorted(Ints a, Ints b) { return {min(a, b), max(a, b)}; }

// Merges two sorted fours into m[0] to m[7].
inline void merge_4(const Ints* a, const Ints* b, Ints* m) {
    const Four p = merge_2({a[0], a[2]}, {b[0], b[2]}), q = merge_2({a[1], a[3]}, {b[1], b[3]});
    m[0] = p.v[0];
    for (int k = 0; k < 3; k++) {
        m[2 * k + 1] = min(p.v[k + 1], q.v[k]);
        m[2 * k + 2] = max(p.v[k + 1], q.v[k]);
    }
    m[7] = q.v[3];
}

// Merges two sorted eights and leaves out the 3 lowest and the 3 highest.
inline void middle_10_of_8_8(const Ints* a, const Ints* b, Ints* m) {
    const Ints even_a[] = {a[0], a[2], a[4], a[6]}, even_b[] = {b[0], b[2], b[4], b[6]};
    const Ints odd_a[] = {a[1], a[3], a[5], a[7]}, odd_b[] = {b[1], b[3], b[5], b[7]};
    Ints p[8], q[8];
    merge_4(even_a, even_b, p);
    merge_4(odd_a, odd_b, q);
    for (int k = 0; k < 5; k++) {
        m[2 * k] = min(p[k + 2], q[k + 1]);
        m[2 * k + 1] = max(p[k + 2], q[k + 1]);
    }
}

inline Four sort_4_rising_then_falling(Four a) {
    exchange(a.v[0], a.v[2]);
    exchange(a.v[1], a.v[3]);
    exchange(a.v[0], a.v[1]);
    exchange(a.v[2], a.v[3]);
    return a;
}

// Merges a sorted ten and a sorted four and leaves out the 4 lowest and the 4 highest.
inline void middle_6_of_10_4(const Ints* m, const Ints* r, Ints* s) {
    Four a = {max(m[0], r[3]), max(m[1], r[2]), max(m[2], r[1]), max(m[3], r[0])};
    a = sort_4_rising_then_falling(a);
    for (int k = 0; k < 4; k++) a.v[k] = min(a.v[k], m[9 - k]);
    a = sort_4_rising_then_falling(a);
    const Ints p = max(a.v[0], m[4]), q = max(a.v[1], m[5]);
    const Ints even[] = {min(a.v[0], m[4]), min(a.v[2], p), max(a.v[2], p)};
    const Ints odd[] = {min(a.v[1], m[5]), min(a.v[3], q), max(a.v[3], q)};
    s[0] = even[0];
    for (int k = 0; k < 2; k++) {
        s[2 * k + 1] = min(even[k + 1], odd[k]);
        s[2 * k + 2] = max(even[k + 1], odd[k]);
    }
    s[5] = odd[2];
}

// The 6th of a sorted six and the five pixels from `x`.
inline Ints median_of_6_5(const Ints* s, const float* x) {
    const Two ab = sorted(load<Ints>(x), load<Ints>(x + 1));
    const Two cd = sorted(load<Ints>(x + 2), load<Ints>(x + 3));
    Four z = merge_2(ab, cd);
    Ints last = load<Ints>(x + 4);
    for (int k = 0; k < 4; k++) exchange(z.v[k], last);
    const Ints low = min(max(s[0], last), max(s[1], z.v[3]));
    const Ints high = min(max(s[2], z.v[2]), max(s[3], z.v[1]));
    return min(min(low, high), min(max(s[4], z.v[0]), s[5]));
}

// Two columns of 4 pixels, sorted and merged, of each pixel and its right neighbour.
class Median {
  public:
    explicit Median(int width)
        : blocks_((width + WIDTH - 1) / WIDTH), stride_((blocks_ + 2) * WIDTH),
          image_(zeros(6 * stride_)), columns_(zeros(4 * stride_ + WIDTH)),
          pairs_(zeros(8 * stride_)) {}

    // Replaces a plane of `level` by its median; outside, the border pixel is repeated.
    void filter(const Level& level, float* Row::* plane);

  private:
    void take(const Level& level, float* Row::* plane, int y, float* to);
    void sort_columns(float* const* rows);
    void merge_columns();
    void select(const float* top, const float* bottom, float* out0, float* out1);
    int blocks_, stride_;
    Floats image_, columns_, pairs_;
};

// Copies row y (or the border row) of a plane, its border pixels repeated, as ordered integers.
inline void Median::take(const Level& level, float* Row::* plane, int y, float* to) {
    y = y < 0 ? 0 : y < level.height ? y : level.height - 1;
    const float* from = level.row(y).*plane;
    to[0] = to[1] = from[0];
    std::memcpy(to + 2, from, level.width * sizeof(float));
    for (int x = level.width + 2; x < stride_; x++) to[x] = from[level.width - 1];
    for (int x = 0; x < stride_; x += WIDTH) store(to + x, ordered(load<Ints>(to + x)));
}

inline void Median::sort_columns(float* const* rows) {
    for (int x = 0; x < (blocks_ + 1) * WIDTH; x += WIDTH) {
        const Two ab = sorted(load<Ints>(rows[0] + x), load<Ints>(rows[1] + x));
        const Two cd = sorted(load<Ints>(rows[2] + x), load<Ints>(rows[3] + x));
        const Four s = merge_2(ab, cd);
        for (int k = 0; k < 4; k++) store(columns_.get() + k * stride_ + x, s.v[k]);
    }
}

inline void Median::merge_columns() {
    for (int x = 0; x < (blocks_ + 1) * WIDTH; x += WIDTH) {
        Ints a[4], b[4], m[8];
        for (int k = 0; k < 4; k++) {
            a[k] = load<Ints>(columns_.get() + k * stride_ + x);
            b[k] = load<Ints>(columns_.get() + k * stride_ + x + 1);
        }
        merge_4(a, b, m);
        for (int k = 0; k < 8; k++) store(pairs_.get() + k * stride_ + x, m[k]);
    }
}

inline void Median::select(const float* top, const float* bottom, float* out0, float* out1) {
    for (int x = 0; x < blocks_ * WIDTH; x += WIDTH) {
        Ints left[8], right[8], middle[4], ten[10], six[6];
        for (int k = 0; k < 8; k++) {
            left[k] = load<Ints>(pairs_.get() + k * stride_ + x);
            right[k] = load<Ints>(pairs_.get() + k * stride_ + x + 3);
        }
        for (int k = 0; k < 4; k++) middle[k] = load<Ints>(columns_.get() + k * stride_ + x + 2);
        middle_10_of_8_8(left, right, ten);
        middle_6_of_10_4(ten, middle, six);
        store(out0 + x, ordered(median_of_6_5(six, top + x)));
        store(out1 + x, ordered(median_of_6_5(six, bottom + x)));
    }
}

inline void Median::filter(const Level& level, float* Row::* plane) {
    float* rows[6];
    for (int k = 0; k < 6; k++) rows[k] = image_.get() + k * stride_;
    for (int k = 0; k < 4; k++) take(level, plane, k - 2, rows[k]);
    Floats out = zeros(2 * stride_);
    float *out0 = out.get(), *out1 = out0 + stride_;
    for (int y = 0; y < level.height; y += 2) {
        take(level, plane, y + 2, rows[4]);
        take(level, plane, y + 3, rows[5]);
        sort_columns(rows + 1);
        merge_columns();
        select(rows[0], rows[5], out0, out1);
        std::memcpy(level.row(y).*plane, out0, level.width * sizeof(float));
        if (y + 1 < level.height) {
            std::memcpy(level.row(y + 1).*plane, out1, level.width * sizeof(float));
        }
        float *old0 = rows[0], *old1 = rows[1];
        for (int k = 0; k < 4; k++) rows[k] = rows[k + 2];
        rows[4] = old0;
        rows[5] = old1;
    }
}

}  // namespace tvl1
