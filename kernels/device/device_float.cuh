// A float whose functions are those of its kind: fast_float.cuh, faithful_float.cuh. It is another
// type than float so that the shared arithmetic finds them, as Math<DeviceFloat<Kind>>.
#pragma once

#include "kernels/arithmetic/activation.cuh"
#include "kernels/device/device.cuh"

namespace ito::cuda {

template <class Kind>
struct DeviceFloat {
  float v;

  ITO_DEVICE DeviceFloat() : v(0) {}
  ITO_DEVICE explicit DeviceFloat(float value) : v(value) {}
  ITO_DEVICE explicit DeviceFloat(double value) : v(static_cast<float>(value)) {}
  ITO_DEVICE explicit DeviceFloat(int value) : v(static_cast<float>(value)) {}
  ITO_DEVICE explicit operator float() const { return v; }

  ITO_DEVICE DeviceFloat operator-() const { return DeviceFloat(-v); }
  ITO_DEVICE friend DeviceFloat operator+(DeviceFloat a, DeviceFloat b) {
    return DeviceFloat(a.v + b.v);
  }
  ITO_DEVICE friend DeviceFloat operator-(DeviceFloat a, DeviceFloat b) {
    return DeviceFloat(a.v - b.v);
  }
  ITO_DEVICE friend DeviceFloat operator*(DeviceFloat a, DeviceFloat b) {
    return DeviceFloat(a.v * b.v);
  }
  ITO_DEVICE friend DeviceFloat operator/(DeviceFloat a, DeviceFloat b) {
    return DeviceFloat(a.v * reciprocal_fast(b.v));
  }
  ITO_DEVICE friend bool operator<(DeviceFloat a, DeviceFloat b) { return a.v < b.v; }
  ITO_DEVICE friend bool operator>(DeviceFloat a, DeviceFloat b) { return a.v > b.v; }
};

/// The functions that all kinds share.
template <class T>
struct DeviceFloatMath {
  ITO_DEVICE static T erf(T x) { return T(Math<float>::erf(x.v)); }
  ITO_DEVICE static T abs(T x) { return T(Math<float>::abs(x.v)); }
  /// NaN where one is: products in f16 make one of a sum beyond their range.
  ITO_DEVICE static T max(T a, T b) { return T(max_nan(a.v, b.v)); }
  ITO_DEVICE static T select(bool condition, T yes, T no) { return condition ? yes : no; }
};

}  // namespace ito::cuda
