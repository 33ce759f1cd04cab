#include <gtest/gtest.h>

#include <map>
#include <vector>

#include <ito/model.hpp>

#include "cuda/kernel_source.hpp"
#include "kernels/fused/sources.cuh"
#include "kernels/per_path/layout.cuh"
#include "model/shape.hpp"

namespace ito::cuda {
namespace {

/// Every kind of part, with sizes that fill no tile.
std::vector<Model> models() {
  const Mlp net{.hidden = {12, 20}};
  std::vector<Model> out;
  for (const Diffusion& diffusion :
       std::vector<Diffusion>{IdentityDiffusion{}, ConstantDiffusion{}, DiagonalDiffusion{net},
                              GeneralDiffusion{net}}) {
    for (const Control& control :
         std::vector<Control>{NoControl{}, ConstantControl{}, OpenLoopControl{net, 3},
                              FeedbackControl{{.hidden = {12, 20}, .time = false}, 3},
                              FeedbackControl{{.hidden = {}}}}) {
      Model model;
      model.state = 9;
      model.grid = uniform_grid(1.0, 4);
      model.drift = net;
      model.diffusion = diffusion;
      model.control = control;
      model.initial = GaussianInitial{};
      out.push_back(validated(model));
      if (std::holds_alternative<ConstantDiffusion>(diffusion)) {
        model.control = DriftControl{net};
        out.push_back(validated(model));
        model.control = control;
        model.noise = 11;
        out.push_back(validated(model));
      }
    }
  }
  return out;
}

/// The parameters that no time loop reads directly: weights of a context, which are in its bias
/// rows, and what a constant σ is made of.
bool is_indirect(const ModelSpec& spec, int parameter) {
  const NetSpec& net = spec.nets[control_net];
  const int at = parameter - net.weight(0);
  if (net.context > 0 && at >= 0 && parameter < net.bias(0) &&
      at % net.columns(0) >= net.inputs + net.time)
    return true;
  return parameter >= spec.diffusion_value && parameter < spec.diffusion_value + spec.sigma_count();
}

/// How often each parameter and each entry of a constant σ is packed.
using Counts = std::map<int, int>;

/// A net's weights are packed as they are and transposed; the rest, once.
bool is_weight(const ModelSpec& spec, int parameter) {
  for (const NetSpec& net : spec.nets) {
    for (int l = 0; l < net.layers; ++l) {
      const int at = parameter - net.weight(l);
      if (at >= 0 && parameter < net.bias(l) &&
          at % net.columns(l) < (l ? net.columns(l) : net.inputs))
        return true;
    }
  }
  return spec.diffusion == DiffusionKind::constant_general && parameter >= spec.parameters;
}

/// How often a forward pass finds parameter `p`: a weight once; what follows a first layer's inputs
/// in its products once, a time weight for every part of the time; any other number twice.
int times_packed(const ModelSpec& spec, const FusedLayout& layout, PackedFormat format, int p) {
  if (p >= spec.parameters) {
    if (spec.diffusion == DiffusionKind::constant_general) return 1;
    return spec.control == ControlKind::drift ? 4 : 2;  // with one over it
  }
  if (is_indirect(spec, p)) return 0;
  if (is_weight(spec, p)) return 1;
  for (const NetLayout& net : layout.nets) {
    if (net.spec.layers == 0 || net.layers[0].constants == 0) continue;
    if (p < net.spec.weight(0) || p >= net.spec.weight(1)) continue;
    if (p < net.spec.bias(0)) return format.time_parts;
    return net.spec.context == 0 ? 1 : 0;  // with a context it is in the bias rows
  }
  return 2;
}

TEST(FusedLayout, PacksEveryParameterAndWeightsTransposedToo) {
  for (const Model& model : models()) {
    const ModelSpec spec = spec_of(resolve(model));
    for (const PackedFormat& format : {faithful_format, fast_format, exact_format}) {
      const FusedLayout layout = fused_layout(spec, format, 227 << 10, true);
      Counts forward, transposed;
      for (int f = 0; f < layout.fragment_count; ++f) {
        for (int lane = 0; lane < warp_lanes; ++lane) {
          const auto& product = f < layout.first_fragments ? format.first : format.rest;
          for (int j = 0; j < product.fragment_numbers(); ++j) {
            const int source = fragment_source(layout, format, f, lane, j).source;
            if (source >= 0) ++(f < layout.forward_fragments ? forward : transposed)[source];
          }
        }
      }
      for (const auto& [parameter, count] : transposed)
        EXPECT_EQ(count, is_weight(spec, parameter) ? 1 : 0);
      for (int i = 0; i < layout.number_count; ++i) {
        const int source = number_source(layout, i).source;
        if (source >= 0) ++forward[source];
      }
      for (int p = 0; p < spec.parameters + spec.sigma_count(); ++p) {
        EXPECT_EQ(forward[p], times_packed(spec, layout, format, p)) << "parameter " << p << " of\n"
                                                                     << initializer(spec);
        EXPECT_EQ(transposed.count(p), is_weight(spec, p) ? 1u : 0u) << p;
      }
    }
  }
}

/// Of blocks whose warps take whole nets, and of others whose warps share units.
TEST(FusedLayout, SumsEveryParameterAtAnOffsetOfItsOwn) {
  for (const int unit_tiles : {0, 1, 8}) {
    for (const Model& model : models()) {
      const ModelSpec spec = spec_of(resolve(model));
      const FusedLayout layout = fused_layout(spec, faithful_format, 227 << 10, true, unit_tiles);
      std::map<int, int> taken;
      for (int p = 0; p < spec.parameters; ++p) {
        const int offset = sum_offset(spec, layout, p);
        if (offset < 0) {
          EXPECT_TRUE(is_indirect(spec, p)) << p;
          continue;
        }
        EXPECT_LT(offset, layout.sum_count());
        EXPECT_TRUE(taken.emplace(offset, p).second)
            << "parameters " << taken[offset] << " and " << p << " of\n"
            << initializer(spec);
      }
    }
  }
}

TEST(ThreadLayout, HasAUnitDirectionForEveryParameterButWeightsOfAContext) {
  for (const Model& model : models()) {
    const ModelSpec spec = spec_of(resolve(model));
    std::vector<int> wanted, got;
    for (int p = 0; p < spec.parameters; ++p)
      if (thread_sum_offset(spec, p) == p) wanted.push_back(p);
    for (int unit = 0; unit < unit_count(spec); ++unit) got.push_back(unit_parameter(spec, unit));
    EXPECT_EQ(got, wanted) << initializer(spec);
  }
}

TEST(ThreadLayout, PacksEveryParameterOnceAndWeightsTransposedToo) {
  for (const Model& model : models()) {
    const ModelSpec spec = spec_of(resolve(model));
    const ThreadLayout layout = thread_layout(spec);
    Counts counts;
    for (int i = 0; i < layout.number_count; ++i) {
      const int source = number_source(layout, i).source;
      if (source >= 0) ++counts[source];
    }
    for (int p = 0; p < spec.parameters + spec.sigma_count(); ++p) {
      const bool packed = p >= spec.parameters || !is_indirect(spec, p);
      const bool twice = packed && p < spec.parameters && is_weight(spec, p);
      EXPECT_EQ(counts[p], !packed ? 0
                           : twice ? 2
                                   : 1)
          << "parameter " << p << " of\n"
          << initializer(spec);
    }
  }
}

TEST(ThreadLayout, SumsEveryParameterInItsOwnPlaceButWeightsOfAContext) {
  for (const Model& model : models()) {
    const ModelSpec spec = spec_of(resolve(model));
    const NetSpec& net = spec.nets[control_net];
    for (int p = 0; p < spec.parameters; ++p) {
      const bool of_context = net.layers > 0 && p >= net.weight(0) && is_indirect(spec, p);
      EXPECT_EQ(thread_sum_offset(spec, p), of_context ? -1 : p) << p;
    }
  }
}

}  // namespace
}  // namespace ito::cuda
