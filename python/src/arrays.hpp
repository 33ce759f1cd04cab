#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ito::python {

namespace nb = nanobind;

/// An array of the caller's, through DLPack or the buffer protocol: never copied. Nothing waits: an
/// array on a device is taken as it stands on the caller's stream.
class Array {
 public:
  /// None is an empty one. Throws TypeError naming `name` on what is no array, and ito::Error on
  /// one that is not C-contiguous.
  Array(nb::handle object, const char* name, bool written);

  bool given() const { return given_; }
  bool on_cuda() const;
  /// "cpu", "cuda:0"
  std::string place() const;
  std::size_t size() const { return given_ ? array_.size() : 0; }
  const std::string& name() const { return name_; }
  std::vector<std::size_t> shape() const;

  /// Whether its numbers are T.
  template <class T>
  bool is() const {
    return given_ && array_.dtype() == nb::dtype<T>();
  }

  /// Its numbers. Throws TypeError on a type other than T.
  template <class T>
  std::span<T> numbers() const {
    check_type(nb::dtype<std::remove_const_t<T>>());
    return {static_cast<T*>(given_ ? array_.data() : nullptr), size()};
  }
  /// The same where the shape is one of `shapes`, of which 0 is any number; else ito::Error.
  template <class T>
  std::span<T> numbers(std::initializer_list<std::vector<std::size_t>> shapes) const {
    check_shape(shapes);
    return numbers<T>();
  }
  /// Throws ito::Error unless it stands where `other` does, called so.
  void check_beside(const Array& other) const;

 private:
  void check_type(nb::dlpack::dtype wanted) const;
  void check_shape(std::initializer_list<std::vector<std::size_t>> shapes) const;

  std::string name_;
  bool given_ = false;
  nb::ndarray<> array_;
};

/// One of the host, without which a call cannot be.
class HostArray : public Array {
 public:
  /// Throws as an Array does, on one elsewhere, and TypeError on None unless `optional`.
  HostArray(nb::handle object, const char* name, bool optional = false);
};

/// A new NumPy array that owns `numbers`.
template <class T>
nb::object numpy_array(std::vector<T> numbers, std::initializer_list<std::size_t> shape) {
  auto* owned = new std::vector<T>(std::move(numbers));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, T>(owned->data(), shape.size(), shape.begin(), owner));
}

/// The numbers of flat parameters [P].
std::span<const float> flat_parameters(nb::handle parameters);
/// The same as a new array.
nb::object flat_array(std::span<const float> values);

}  // namespace ito::python
