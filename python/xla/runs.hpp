#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>

#include <xla/ffi/api/ffi.h>
#include <ito/error.hpp>

namespace ito::jax {

using Axes = std::span<const std::int64_t>;

inline Axes axes_of(const xla::ffi::AnyBuffer& buffer) {
  return {buffer.dimensions().begin(), buffer.dimensions().size()};
}

/// The runs of one call: vmap puts axes in front of an operand's own, and a call makes a run for
/// every place in them, one after the other, so that results are those of a loop.
class Runs {
 public:
  /// From a result that has one axis of its own.
  explicit Runs(const xla::ffi::AnyBuffer& result)
      : axes_(axes_of(result).first(axes_of(result).size() - 1)) {}

  std::size_t count() const { return product(axes_); }
  std::size_t axes() const { return axes_.size(); }

  /// Where the operand of a run stands among those of all, whose axes in front are `of`: 1 where
  /// all runs along it have the same one.
  std::size_t place(Axes of, std::size_t run) const {
    std::size_t at = 0, stride = 1;
    for (std::size_t i = axes_.size(); i-- > 0;) {
      const auto size = static_cast<std::size_t>(axes_[i]);
      if (of[i] != 1) {
        at += run % size * stride;
        stride *= size;
      }
      run /= size;
    }
    return at;
  }

  static std::size_t product(Axes axes) {
    return static_cast<std::size_t>(
        std::accumulate(axes.begin(), axes.end(), std::int64_t{1}, std::multiplies<>()));
  }

 private:
  Axes axes_;
};

/// An operand or a result: an array for each run.
template <class T>
class Arrays {
 public:
  /// Throws ito::Error on another type of numbers.
  Arrays(const Runs& runs, const xla::ffi::AnyBuffer& buffer, const char* name)
      : runs_(runs),
        front_(axes_of(buffer).first(runs.axes())),
        size_(Runs::product(axes_of(buffer).subspan(runs.axes()))),
        data_(static_cast<T*>(buffer.untyped_data())) {
    if (buffer.element_type() != wanted())
      throw Error(name, "an array of another type", "one of the plan's");
  }

  std::span<T> operator[](std::size_t run) const {
    return {data_ + runs_.place(front_, run) * size_, size_};
  }

 private:
  static constexpr xla::ffi::DataType wanted() {
    using Number = std::remove_const_t<T>;
    if constexpr (std::is_same_v<Number, float>) return xla::ffi::F32;
    if constexpr (std::is_same_v<Number, double>) return xla::ffi::F64;
    if constexpr (std::is_same_v<Number, std::uint32_t>) return xla::ffi::U32;
    if constexpr (std::is_same_v<Number, std::uint8_t>) return xla::ffi::U8;
  }

  const Runs& runs_;
  Axes front_;
  std::size_t size_;
  T* data_;
};

}  // namespace ito::jax
