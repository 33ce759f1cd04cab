#include "arrays.hpp"

#include <ito/error.hpp>

namespace ito::python {
namespace {

std::string class_of(nb::handle object) { return nb::inst_name(object).c_str(); }

std::string dtype_name(nb::dlpack::dtype type) {
  using Code = nb::dlpack::dtype_code;
  std::string kind = "unknown type";
  switch (static_cast<Code>(type.code)) {
    case Code::Int:
      kind = "int";
      break;
    case Code::UInt:
      kind = "uint";
      break;
    case Code::Float:
      kind = "float";
      break;
    case Code::Bfloat:
      kind = "bfloat";
      break;
    case Code::Complex:
      kind = "complex";
      break;
    case Code::Bool:
      return "bool";
    default:
      return kind;
  }
  return kind + std::to_string(type.bits);
}

std::string text(const std::vector<std::size_t>& shape) {
  std::string all = "[";
  for (const std::size_t n : shape)
    all += (all.size() > 1 ? ", " : "") + (n == 0 ? std::string("any") : std::to_string(n));
  return all + "]";
}

/// An array on a device, without the wait for its stream that a plain export would bring.
nb::object without_waiting(nb::handle object) {
  if (!nb::hasattr(object, "__dlpack_device__") || !nb::hasattr(object, "__dlpack__")) return {};
  const auto device = nb::cast<nb::tuple>(object.attr("__dlpack_device__")());
  if (nb::cast<int>(device[0]) != nb::device::cuda::value) return {};
  return object.attr("__dlpack__")(nb::arg("stream") = -1);
}

}  // namespace

Array::Array(nb::handle object, const char* name, bool written) : name_(name) {
  if (object.is_none()) return;
  given_ = true;
  if (nb::hasattr(object, "requires_grad") && nb::cast<bool>(object.attr("requires_grad"))) {
    const std::string got = name_ + ": got " + class_of(object) +
                            " that requires grad; accepted: one without (tensor.detach()); "
                            "itosde.torch has gradients";
    throw nb::type_error(got.c_str());
  }
  if (written && class_of(object).starts_with("jax")) {
    const std::string got =
        name_ + ": got " + class_of(object) + "; accepted: an array that can be written to";
    throw nb::type_error(got.c_str());
  }
  const nb::object capsule = without_waiting(object);
  const nb::handle source = capsule.is_valid() ? nb::handle(capsule) : object;
  bool taken = false;
  if (written) {
    taken = nb::try_cast(source, array_, false);
  } else {
    nb::ndarray<nb::ro> read;
    taken = nb::try_cast(source, read, false);
    if (taken) array_ = nb::ndarray<>(read);
  }
  if (!taken) {
    const std::string got = name_ + ": got " + class_of(object) + "; accepted: " +
                            (written ? "an array that can be written to" : "an array");
    throw nb::type_error(got.c_str());
  }
  std::int64_t stride = 1;
  for (std::size_t i = array_.ndim(); i-- > 0;) {
    if (array_.shape(i) != 1 && array_.stride(i) != stride && array_.size() > 0)
      throw Error(name_, "strides that leave gaps",
                  "a C-contiguous array (numpy.ascontiguousarray)");
    stride *= static_cast<std::int64_t>(array_.shape(i));
  }
}

HostArray::HostArray(nb::handle object, const char* name, bool optional)
    : Array(object, name, false) {
  if (!given() && !optional) {
    const std::string message = this->name() + ": got None; accepted: an array";
    throw nb::type_error(message.c_str());
  }
  if (place() != "cpu") throw Error(this->name(), "an array on " + place(), "one of the host");
}

bool Array::on_cuda() const { return given_ && array_.device_type() == nb::device::cuda::value; }

std::string Array::place() const {
  if (!given_ || array_.device_type() == nb::device::cpu::value) return "cpu";
  if (on_cuda()) return "cuda:" + std::to_string(array_.device_id());
  return "device type " + std::to_string(array_.device_type());
}

std::vector<std::size_t> Array::shape() const {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; given_ && i < array_.ndim(); ++i) all.push_back(array_.shape(i));
  return all;
}

void Array::check_beside(const Array& other) const {
  if (!given_ || !other.given_) return;
  if (array_.device_type() == other.array_.device_type() &&
      array_.device_id() == other.array_.device_id())
    return;
  throw Error(name_, "an array on " + place(), "one on " + other.place() + ", as " + other.name_);
}

void Array::check_type(nb::dlpack::dtype wanted) const {
  if (!given_ || array_.dtype() == wanted) return;
  const std::string message =
      name_ + ": got " + dtype_name(array_.dtype()) + "; accepted: " + dtype_name(wanted);
  throw nb::type_error(message.c_str());
}

void Array::check_shape(std::initializer_list<std::vector<std::size_t>> shapes) const {
  if (!given_) return;
  const std::vector<std::size_t> got = shape();
  std::string accepted;
  for (const auto& wanted : shapes) {
    bool fits = got.size() == wanted.size();
    for (std::size_t i = 0; fits && i < got.size(); ++i)
      fits = wanted[i] == 0 || got[i] == wanted[i];
    if (fits) return;
    accepted += (accepted.empty() ? "" : " or ") + text(wanted);
  }
  throw Error(name_, "shape " + text(got), "shape " + accepted);
}

std::span<const float> flat_parameters(nb::handle parameters) {
  return HostArray(parameters, "parameters").numbers<const float>({{0}});
}

nb::object flat_array(std::span<const float> values) {
  return numpy_array(std::vector<float>(values.begin(), values.end()), {values.size()});
}

}  // namespace ito::python
