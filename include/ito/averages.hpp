#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

#pragma GCC visibility push(default)
namespace ito {

/// Mean and spread of numbers that come one at a time (Welford 1962), in double.
class Averages {
 public:
  void add(double value) {
    ++count_;
    const double step = value - mean_;
    mean_ += step / static_cast<double>(count_);
    squares_ += step * (value - mean_);
  }
  double mean() const { return mean_; }
  /// Mean square deviation: divided by the count.
  double variance() const { return count_ ? squares_ / static_cast<double>(count_) : 0.0; }
  /// Standard error of the mean; NaN below two numbers.
  double error() const {
    if (count_ < 2) return std::numeric_limits<double>::quiet_NaN();
    const auto count = static_cast<double>(count_);
    return std::sqrt(squares_ / (count - 1) / count);
  }

 private:
  std::size_t count_ = 0;
  double mean_ = 0, squares_ = 0;
};

}  // namespace ito
#pragma GCC visibility pop
