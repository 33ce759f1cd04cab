#include "engine/any_plan.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <type_traits>

#include "cuda/gpu.hpp"
#include "engine/closeness.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

template <class Plan>
struct RealOf;
template <class Real>
struct RealOf<BasicPlan<Real>> {
  using type = Real;
};

template <class To, class From>
std::vector<To> convert(const std::vector<From>& values) {
  std::vector<To> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(),
                 [](From v) { return static_cast<To>(v); });
  return out;
}

template <class Real>
struct Inputs {
  std::vector<Real> parameters, x0, context;
  BasicGridRows<Real> grids;
  BasicRequest<Real> request;

  Inputs(const Model& model, const std::vector<double>& parameter_values, const Call& call)
      : parameters(convert<Real>(parameter_values)),
        x0(convert<Real>(call.x0)),
        context(convert<Real>(call.context)),
        grids(grid_rows<Real>(model, call.grids)),
        request{.paths = call.paths,
                .seed = call.seed,
                .first_path = call.first_path,
                .x0 = x0,
                .context = context,
                .paths_per_observation = call.paths_per_observation,
                .refinement = call.refinement,
                .grid = grids.steps,
                .save = grids.save} {}
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;
};

template <class Real>
struct CotangentInputs {
  std::vector<Real> states, energy, martingale, interval_energy, interval_martingale;
  BasicCotangents<Real> view;

  explicit CotangentInputs(const PathValues& values)
      : states(convert<Real>(values.states)),
        energy(convert<Real>(values.energy)),
        martingale(convert<Real>(values.martingale)),
        interval_energy(convert<Real>(values.interval_energy)),
        interval_martingale(convert<Real>(values.interval_martingale)),
        view{states, energy, martingale, interval_energy, interval_martingale} {}
  CotangentInputs(const CotangentInputs&) = delete;
  CotangentInputs& operator=(const CotangentInputs&) = delete;
};

/// A workspace of so many bytes with garbage all over: a call may rely on nothing in it but what a
/// recording run left. Beyond it there is more, which must stay.
class GuardedWorkspace {
 public:
  explicit GuardedWorkspace(std::size_t bytes) : bytes_(bytes), memory_(bytes + guard, garbage) {}

  std::span<std::byte> bytes() { return std::span(memory_).first(bytes_); }
  void expect_intact() const {
    EXPECT_TRUE(
        std::all_of(memory_.end() - guard, memory_.end(), [](std::byte b) { return b == garbage; }))
        << "wrote beyond its workspace of " << bytes_ << " bytes";
  }

 private:
  static constexpr std::byte garbage{0xA5};
  static constexpr std::ptrdiff_t guard = 1 << 16;
  std::size_t bytes_;
  std::vector<std::byte> memory_;
};

template <class Real>
GradientValues values_of(const BasicGradient<Real>& gradient) {
  return {convert<double>(gradient.parameters), convert<double>(gradient.x0),
          convert<double>(gradient.context)};
}

template <class Real>
PathValues values_of(const BasicTangents<Real>& tangents) {
  return {convert<double>(tangents.states),
          convert<double>(tangents.energy),
          convert<double>(tangents.martingale),
          convert<double>(tangents.interval_energy),
          convert<double>(tangents.interval_martingale),
          {}};
}

}  // namespace

const std::vector<EngineKind>& cuda_engines() {
  static const std::vector<EngineKind> all = [] {
    const bool emulated = cuda_report().gpus.empty();
    const std::uint64_t sample = emulated ? 1'000 : 200'000;
    std::vector<EngineKind> kinds{
        {"cuda", Device::cuda(), false, 1e-5, 1e-4, sample},
        {"cuda_fast", Device::cuda(), false, 3e-3, 3e-3, sample, Precision::fast},
        {"cuda64", Device::cuda(), true, 1e-12, 1e-12, sample},
    };
    for (EngineKind& kind : kinds) kind.emulated = emulated;
    return kinds;
  }();
  return all;
}

const std::vector<EngineKind>& engines_of_every_kernel() {
  static const std::vector<EngineKind> all = [] {
    std::vector<EngineKind> kinds = engines();
    kinds.push_back(layered_engines().front());
    kinds.push_back(cuda_engines().front());
    kinds.back().name += "_per_path";
    kinds.back().kernels = CudaKernels::per_path;
    return kinds;
  }();
  return all;
}

const std::vector<EngineKind>& layered_engines() {
  static const std::vector<EngineKind> all = [] {
    std::vector<EngineKind> kinds = cuda_engines();
    for (EngineKind& kind : kinds) {
      kind.name += "_layered";
      kind.kernels = CudaKernels::layered;
    }
    return kinds;
  }();
  return all;
}

namespace {

/// A card with one multiprocessor, for which blocks of paths are small.
std::shared_ptr<Gpu> small_gpu() {
  EmulatedGpu::Options options;
  options.properties.multiprocessors = 1;
  return std::make_shared<EmulatedGpu>(options);
}

}  // namespace

::testing::AssertionResult are_close(const GradientValues& got, const GradientValues& wanted,
                                     double tolerance) {
  ::testing::AssertionResult result = ::testing::AssertionSuccess();
  const auto compare = [&](const char* part, const std::vector<double>& a,
                           const std::vector<double>& b) {
    const double error = relative_error(a, b);
    if (error <= tolerance) return;
    if (result) result = ::testing::AssertionFailure();
    result << part << ": error " << error << ", at most " << tolerance << "; ";
  };
  compare("parameters", got.parameters, wanted.parameters);
  compare("x0", got.x0, wanted.x0);
  compare("context", got.context, wanted.context);
  return result;
}

template <class Real>
BasicPlan<Real> make_plan(const EngineKind& kind, const Model& model, PlanOptions options,
                          int threads) {
  if (kind.emulated) {
    static const bool placed = [] {
      replace_gpu(std::make_shared<EmulatedGpu>());
      return true;
    }();
    (void)placed;
  }
  if (options.precision == Precision::fp32) options.precision = kind.precision;
  if (kind.kernels != CudaKernels::automatic) options.cuda_kernels = kind.kernels;
  if (kind.emulated && kind.kernels == CudaKernels::layered) {
    replace_gpu(small_gpu());
    BasicPlan<Real> plan(model, {kind.device, threads}, options);
    replace_gpu(std::make_shared<EmulatedGpu>());
    return plan;
  }
  return BasicPlan<Real>(model, {kind.device, threads}, options);
}
template Plan make_plan(const EngineKind&, const Model&, PlanOptions, int);
template DoublePlan make_plan(const EngineKind&, const Model&, PlanOptions, int);

AnyPlan::AnyPlan(const EngineKind& kind, const Model& model, PlanOptions options, int threads)
    : plan_(kind.double_precision
                ? std::variant<Plan, DoublePlan>(make_plan<double>(kind, model, options, threads))
                : std::variant<Plan, DoublePlan>(make_plan<float>(kind, model, options, threads))) {
}

PathValues AnyPlan::simulate(const std::vector<double>& parameters, const Call& call) {
  return std::visit(
      [&](auto& plan) {
        using Real = typename RealOf<std::decay_t<decltype(plan)>>::type;
        const Inputs<Real> in(plan.model(), parameters, call);
        const BasicPaths<Real> paths =
            plan.simulate(in.parameters, in.request, {.intervals = true});
        return PathValues{convert<double>(paths.states()),
                          convert<double>(paths.energy()),
                          convert<double>(paths.martingale()),
                          convert<double>(paths.interval_energy()),
                          convert<double>(paths.interval_martingale()),
                          paths.status()};
      },
      plan_);
}

PathValues AnyPlan::simulate_in_workspace(const std::vector<double>& parameters, const Call& call) {
  return std::visit(
      [&](auto& plan) {
        using Real = typename RealOf<std::decay_t<decltype(plan)>>::type;
        const Inputs<Real> in(plan.model(), parameters, call);
        const std::size_t n = call.paths, saves = n * plan.model().save.size();
        const auto d = static_cast<std::size_t>(plan.model().state);
        std::vector<Real> states(saves * d), energy(n), martingale(n), interval_energy(saves),
            interval_martingale(saves);
        PathValues result;
        result.status.resize(n);
        GuardedWorkspace workspace(plan.simulate_workspace_bytes(n, call.observations()));
        plan.simulate(
            in.parameters, in.request,
            {states, energy, martingale, interval_energy, interval_martingale, result.status},
            workspace.bytes());
        workspace.expect_intact();
        result.states = convert<double>(states);
        result.energy = convert<double>(energy);
        result.martingale = convert<double>(martingale);
        result.interval_energy = convert<double>(interval_energy);
        result.interval_martingale = convert<double>(interval_martingale);
        return result;
      },
      plan_);
}

GradientValues AnyPlan::adjoint(const std::vector<double>& parameters, const Call& call,
                                const PathValues& cotangents, AdjointOptions options) {
  return std::visit(
      [&](auto& plan) {
        using Real = typename RealOf<std::decay_t<decltype(plan)>>::type;
        const Inputs<Real> in(plan.model(), parameters, call);
        const CotangentInputs<Real> given(cotangents);
        const BasicRecording<Real> recording = plan.record(in.parameters, in.request);
        return values_of(plan.adjoint(in.parameters, recording, given.view, options));
      },
      plan_);
}

GradientValues AnyPlan::adjoint_in_workspace(const std::vector<double>& parameters,
                                             const Call& call, const PathValues& cotangents,
                                             AdjointOptions options) {
  return std::visit(
      [&](auto& plan) {
        using Real = typename RealOf<std::decay_t<decltype(plan)>>::type;
        const Inputs<Real> in(plan.model(), parameters, call);
        const CotangentInputs<Real> given(cotangents);
        GuardedWorkspace workspace(plan.workspace_bytes(call.paths, call.observations()));
        const BasicRecording<Real> recording =
            plan.record(in.parameters, in.request, {}, workspace.bytes());
        const auto d = static_cast<std::size_t>(plan.model().state);
        constexpr Real unset = std::numeric_limits<Real>::quiet_NaN();
        BasicGradient<Real> gradient{std::vector<Real>(plan.parameter_count(), unset),
                                     std::vector<Real>(call.paths * d, unset),
                                     std::vector<Real>(call.context.size(), unset)};
        for (int i = 0; i < 2; ++i) {  // the second finds what the first leaves
          plan.adjoint(in.parameters, recording, given.view,
                       {gradient.parameters, gradient.x0, gradient.context}, options);
        }
        workspace.expect_intact();
        return values_of(gradient);
      },
      plan_);
}

PathValues AnyPlan::tangents(const std::vector<double>& parameters, const Call& call,
                             const DirectionValues& directions) {
  return std::visit(
      [&](auto& plan) {
        using Real = typename RealOf<std::decay_t<decltype(plan)>>::type;
        const Inputs<Real> in(plan.model(), parameters, call);
        const auto along = convert<Real>(directions.parameters), x0 = convert<Real>(directions.x0),
                   context = convert<Real>(directions.context);
        return values_of(plan.tangents(in.parameters, in.request,
                                       {directions.count, along, x0, context},
                                       {.intervals = true}));
      },
      plan_);
}

PathValues AnyPlan::jacobian(const std::vector<double>& parameters, const Call& call,
                             std::size_t first, std::size_t count) {
  return std::visit(
      [&](auto& plan) {
        using Real = typename RealOf<std::decay_t<decltype(plan)>>::type;
        const Inputs<Real> in(plan.model(), parameters, call);
        return values_of(
            plan.jacobian(in.parameters, in.request, first, count, {.intervals = true}));
      },
      plan_);
}

std::size_t AnyPlan::workspace_bytes(std::uint64_t paths, std::uint64_t observations) const {
  return std::visit([&](const auto& plan) { return plan.workspace_bytes(paths, observations); },
                    plan_);
}

std::size_t AnyPlan::simulate_workspace_bytes(std::uint64_t paths,
                                              std::uint64_t observations) const {
  return std::visit(
      [&](const auto& plan) { return plan.simulate_workspace_bytes(paths, observations); }, plan_);
}

std::size_t AnyPlan::parameter_count() const {
  return std::visit([](const auto& plan) { return plan.parameter_count(); }, plan_);
}

const Model& AnyPlan::model() const {
  return std::visit([](const auto& plan) -> const Model& { return plan.model(); }, plan_);
}

}  // namespace ito::test
