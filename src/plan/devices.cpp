// The one place that knows every engine.
#include <ito/device.hpp>
#include <ito/error.hpp>

#include <string>
#include <type_traits>

#include "cpu/engine.hpp"
#include "engine/engine.hpp"
#include "reference/engine.hpp"

namespace ito {

Device Device::parse(std::string_view text) {
  if (text == "auto") return best();
  if (text == "cpu") return cpu();
  if (text == "reference") return reference();
  throw Error("device", std::string(text), "auto, cpu, reference");
}

std::string Device::name() const { return kind_ == Kind::cpu ? "cpu" : "reference"; }

template <class Real>
std::unique_ptr<Engine<Real>> make_engine(const ModelShape& shape, Device device,
                                          const PlanOptions& options) {
  if (device == Device::reference()) return make_reference_engine<Real>(shape, options);
  if constexpr (std::is_same_v<Real, float>) {
    return make_cpu_engine(shape, options);
  } else {
    throw Error("device", device.name(), "reference, the only engine in double precision");
  }
}

template std::unique_ptr<Engine<float>> make_engine(const ModelShape&, Device, const PlanOptions&);
template std::unique_ptr<Engine<double>> make_engine(const ModelShape&, Device, const PlanOptions&);

std::unique_ptr<Network> make_network(const NetShape& shape, Device device, int threads) {
  if (device == Device::reference()) return make_reference_network(shape);
  return make_cpu_network(shape, threads);
}

}  // namespace ito
