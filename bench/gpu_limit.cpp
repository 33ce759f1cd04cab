#include "gpu_limit.hpp"

#include <initializer_list>
#include <stdexcept>

namespace bench {
namespace {

// A warp that takes 32 paths reads each weight once for them.
constexpr double paths_a_warp = 32;
constexpr double fmas_an_mma = 16 * 8 * 16, weights_a_load = 256;  // m16n8k16; 128 bits a lane
// In-loop Philox and Box–Muller, the step and the Girsanov sums, for a channel.
constexpr double instructions_a_channel = 25.2, special_a_channel = 2, integer_a_channel = 16,
                 fma_a_channel = 16;

int padded(int channels, int tile) { return (channels + tile - 1) / tile * tile; }

struct ActivationUse {
  double special, instructions;
};

/// By the hardware's own approximations, packing for the next product included.
ActivationUse fast_use(ito::Activation activation) {
  switch (activation) {
    case ito::Activation::identity:
      return {0, 0.5};
    case ito::Activation::relu:
      return {0, 1.55};
    case ito::Activation::tanh:
      return {1, 2.45};
    case ito::Activation::sigmoid:
      return {1, 3.5};
    case ito::Activation::silu:
      return {1, 4.5};
    case ito::Activation::lipswish:
      return {1, 4.5};
    case ito::Activation::exp:
      return {1, 2.5};
    case ito::Activation::softplus:
      return {2, 6.5};
    case ito::Activation::gelu:
      return {2, 20};
    case ito::Activation::elu:
      return {1, 4.5};  // not counted: exp, a difference and a choice
  }
  throw std::logic_error("an activation without counts");
}

/// Accurate functions: an exponential and half a reciprocal, which two share. The instructions more
/// than the fast one, parts of the next factors included, are those of a prototype with wgmma: 934
/// for 16 paths and 256 units, noise included.
ActivationUse faithful_use(ito::Activation activation) {
  const ActivationUse fast = fast_use(activation);
  return fast.special == 0 ? fast : ActivationUse{1.5, fast.instructions + 6};
}

/// The products and activations of a net's forward pass.
GpuUse net_use(const GpuNet& net, bool faithful) {
  GpuUse use;
  int inputs = net.inputs + 2, hidden = 0;  // the time and a constant ride along
  const auto product = [&](int outputs) {
    use.tensor += padded(inputs, 16) * padded(outputs, 8);
    inputs = outputs;
  };
  for (const int width : net.hidden) {
    product(width);
    hidden += width;
  }
  product(net.outputs);
  // Three products of 16-bit parts, of which a weight has two.
  use.shared_bytes = use.tensor * (faithful ? 4 : 2) / paths_a_warp;
  if (faithful) use.tensor *= 3;
  const auto [special, instructions] =
      faithful ? faithful_use(net.activation) : fast_use(net.activation);
  use.special = special * hidden;
  use.instructions = instructions * hidden +
                     32 * (use.tensor / fmas_an_mma + use.shared_bytes / 2 / weights_a_load);
  return use;
}

/// Bytes by which activations and cotangents reach the products over paths: each written once and
/// read once.
double staged_bytes(const GpuNet& net, bool faithful) {
  int units = net.inputs + net.outputs;
  for (const int width : net.hidden) units += 2 * width;
  return 2.0 * units * (faithful ? 4 : 2);
}

void add(GpuUse& sum, const GpuUse& use, double times = 1) {
  sum.special += times * use.special;
  sum.instructions += times * use.instructions;
  sum.tensor += times * use.tensor;
  sum.mma += times * use.mma;
  sum.shared_bytes += times * use.shared_bytes;
  sum.integer += times * use.integer;
  sum.fma += times * use.fma;
}

}  // namespace

GpuUse use_of(const GpuWork& work) {
  GpuUse forward;
  for (const GpuNet& net : work.nets) add(forward, net_use(net, work.faithful));
  const double n = work.channels;
  add(forward, {.special = special_a_channel * n,
                .instructions = instructions_a_channel * n,
                .integer = integer_a_channel * n,
                .fma = fma_a_channel * n});
  if (!work.gradient) return forward;
  // The way back evaluates the nets again and regenerates the noise, carries cotangents through the
  // weights, and makes weight gradients: each of the last two is products alone.
  GpuUse both;
  add(both, forward, work.adjoint_alone ? 1 : 2);
  for (const GpuNet& net : work.nets) {
    const GpuUse products = net_use(net, work.faithful);
    both.tensor += 2 * products.tensor;
    both.instructions += 2 * 32 * products.tensor / fmas_an_mma;
    both.shared_bytes += products.shared_bytes + staged_bytes(net, work.faithful);
  }
  return both;
}

GpuRates rates_of(int compute_capability, double clock) {
  GpuRates rates;
  switch (compute_capability) {
    case 90:
      rates.tensor = 2044;
      rates.mma = 1360;
      rates.clock = 1.83e9;
      rates.measured = true;
      break;
    case 80:
      rates.tensor = 1024;
      rates.clock = 1.41e9;
      break;
    case 100:
      rates.tensor = 4096;
      rates.clock = 1.83e9;
      break;
    default:
      rates.tensor = 256;
      rates.clock = 2.4e9;
  }
  // Dense 16-bit peaks of NVIDIA's architecture papers, which mma.sync is taken to reach.
  if (rates.mma == 0) rates.mma = rates.tensor;
  if (clock > 0) rates.clock = clock;
  return rates;
}

GpuLimit limit(const GpuUse& use, const GpuRates& rates, int multiprocessors) {
  struct Resource {
    const char* name;
    double clocks;
  };
  Resource binding{"", 0};
  for (const Resource one :
       {Resource{"special functions", use.special / rates.special},
        Resource{"issue", use.instructions / rates.instructions},
        Resource{"tensor", use.tensor / rates.tensor + use.mma / rates.mma},
        Resource{"shared memory", use.shared_bytes / rates.shared_bytes},
        Resource{"integer", use.integer / rates.integer}, Resource{"FMA", use.fma / rates.fma}}) {
    if (one.clocks > binding.clocks) binding = one;
  }
  return {multiprocessors * rates.clock / binding.clocks, binding.name};
}

}  // namespace bench
