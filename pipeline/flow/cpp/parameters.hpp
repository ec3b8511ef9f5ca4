// The parameters of TV-L1, as parameters.py has them and in its order.
#pragma once

extern "C" struct Parameters {
    double tau, lambda, theta;
    int scales;
    double scale_step;
    int warps;
    double epsilon;
    int outer_iterations, inner_iterations, median_size;
};
