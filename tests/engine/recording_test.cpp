// What a recording holds, how often it can be differentiated, and what refuses it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ito/error.hpp>

#include "cuda/gpu.hpp"
#include "engine/any_plan.hpp"
#include "engine/model_table.hpp"
#include "refusal.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

constexpr std::uint64_t paths = 70;

template <class Real>
std::vector<Real> real(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

template <class Real>
bool operator==(const BasicGradient<Real>& a, const BasicGradient<Real>& b) {
  return a.parameters == b.parameters && a.x0 == b.x0 && a.context == b.context;
}

/// A model with its plan, a request in the caller's memory and two losses.
template <class Real>
struct Case {
  ModelCase row;
  BasicPlan<Real> plan;
  std::vector<Real> parameters, x0, context;
  BasicRequest<Real> request;
  std::vector<Real> states, energy, martingale;
  std::vector<std::byte> workspace;

  explicit Case(const EngineKind& kind, ModelCase of = model_case("context_of_three"),
                PlanOptions options = {})
      : row(std::move(of)), plan(make_plan<Real>(kind, row.model, options)) {
    const Call call = row.call(paths);
    parameters = real<Real>(row.inputs(paths).parameters);
    x0 = real<Real>(call.x0.empty() ? std::vector<double>(paths * d(), 0.25) : call.x0);
    context = real<Real>(call.context);
    request = {call.paths, call.seed, call.first_path, x0, context, call.paths_per_observation};
    const PathValues values = random_cotangents(row.model, paths, 5);
    states = real<Real>(values.states);
    energy = real<Real>(values.energy);
    martingale = real<Real>(values.martingale);
    workspace.resize(plan.workspace_bytes(paths, call.observations()));
  }
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

  std::size_t d() const { return static_cast<std::size_t>(row.model.state); }
  BasicRecording<Real> record() { return plan.record(parameters, request); }
  BasicRecording<Real> record_in_workspace() {
    return plan.record(parameters, request, {}, workspace);
  }
  BasicCotangents<Real> loss() const { return {.states = states, .energy = energy}; }
  BasicCotangents<Real> other_loss() const { return {.martingale = martingale}; }
  BasicGradient<Real> adjoint(const BasicRecording<Real>& recording) {
    return plan.adjoint(parameters, recording, loss());
  }
  std::string refuses(const BasicRecording<Real>& recording) {
    const std::string by_vectors = refusal([&] { adjoint(recording); });
    const std::string by_spans =
        refusal([&] { plan.adjoint(parameters, recording, loss(), BasicGradientOutputs<Real>{}); });
    EXPECT_EQ(by_spans, by_vectors);
    return by_vectors;
  }
};

const std::string not_the_plan =
    "recording.plan: got another plan; accepted: the plan that made it";
const std::string empty =
    "recording: got an empty one, or one that was moved from; accepted: one from `record`";
const std::string overwritten =
    "recording.workspace: got one that a later call has written to; accepted: the workspace as "
    "`record` left it";
std::string changed(const std::string& field, const std::string& got) {
  return "recording." + field + ": got " + got + "; accepted: those it was recorded with";
}

class Recordings : public ::testing::TestWithParam<EngineKind> {
 protected:
  /// Whether recordings without a workspace of the caller's share one of the plan's.
  static bool in_the_plan() { return GetParam().device.kind() == Device::Kind::cuda; }
  /// Runs test(Real{}) for the engine's numbers.
  template <class Test>
  static void on_its_numbers(const Test& test) {
    GetParam().double_precision ? test(double{}) : test(float{});
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Recordings, ::testing::ValuesIn(engines_of_every_kernel()),
                         engine_name);

// On a device, recordings of host arrays are in the plan's own memory: its last one is reopened.
TEST_P(Recordings, AreReopenedFromTheirWorkspace) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    const BasicGradient<Real> wanted = a.adjoint(a.record());
    a.record_in_workspace();
    EXPECT_TRUE(a.adjoint(a.plan.recording_in(a.parameters, a.request, a.workspace)) == wanted);
    if (in_the_plan()) return;

    // Bytes that have moved, and another plan of the same model.
    std::vector<std::byte> moved(a.workspace.size() + 128);
    const auto aligned = [](const std::byte* at) {
      return reinterpret_cast<std::uintptr_t>(at) % 64;
    };
    const std::size_t shift = (64 + aligned(a.workspace.data()) - aligned(moved.data())) % 64;
    const std::span<std::byte> there(moved.data() + shift, a.workspace.size());
    std::ranges::copy(a.workspace, there.begin());
    std::ranges::fill(a.workspace, std::byte{0});
    Case<Real> b(GetParam());
    EXPECT_TRUE(b.adjoint(b.plan.recording_in(b.parameters, b.request, there)) == wanted);
  });
}

TEST_P(Recordings, AreNotReopenedFromAnythingElse) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    const std::string none =
        "workspace: got none of such a recording; accepted: one that `record` has written to, with "
        "the same request";
    const auto refuses = [&](const BasicRequest<Real>& request) {
      return refusal([&] { a.plan.recording_in(a.parameters, request, a.workspace); });
    };
    EXPECT_EQ(refuses(a.request), none);
    if (in_the_plan()) return;
    a.record_in_workspace();
    EXPECT_EQ(refuses(a.request), "accepted");
    BasicRequest<Real> seed = a.request, first = a.request;
    ++seed.seed;
    first.first_path += 16;
    EXPECT_EQ(refuses(seed), none);
    EXPECT_EQ(refuses(first), none);
    a.plan.simulate(a.parameters, a.request, {}, a.workspace);
    EXPECT_EQ(refuses(a.request), none) << "a simulation keeps nothing";
  });
}

TEST_P(Recordings, HaveThePathsOfASimulation) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    const BasicPaths<Real> wanted = a.plan.simulate(a.parameters, a.request, {.intervals = true});
    const BasicRecording<Real> recording =
        a.plan.record(a.parameters, a.request, {.intervals = true});
    const BasicPaths<Real>& got = recording.paths();
    EXPECT_EQ(got.size(), paths);
    EXPECT_EQ(got.states(), wanted.states());
    EXPECT_EQ(got.energy(), wanted.energy());
    EXPECT_EQ(got.martingale(), wanted.martingale());
    EXPECT_EQ(got.interval_energy(), wanted.interval_energy());
    EXPECT_EQ(got.interval_martingale(), wanted.interval_martingale());
    EXPECT_EQ(got.status(), wanted.status());
    EXPECT_EQ(refusal([&] { a.record_in_workspace().paths(); }),
              "recording.paths: got a recording that holds none; accepted: one that "
              "record(parameters, request) returned");
  });
}

/// Of any loss, in any order, by vectors and by spans, and after the plan has moved.
TEST_P(Recordings, AreDifferentiatedAsOftenAsOneLikes) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    const BasicGradient<Real> wanted = a.adjoint(a.record());
    const BasicGradient<Real> wanted_other =
        a.plan.adjoint(a.parameters, a.record(), a.other_loss());
    EXPECT_FALSE(wanted == wanted_other);
    for (const bool own : {true, false}) {
      BasicRecording<Real> first = own ? a.record() : a.record_in_workspace();
      EXPECT_TRUE(a.adjoint(first) == wanted);
      const BasicRecording<Real> recording = std::move(first);
      EXPECT_TRUE(a.plan.adjoint(a.parameters, recording, a.other_loss()) == wanted_other);
      BasicPlan<Real> moved = std::move(a.plan);
      EXPECT_TRUE(moved.adjoint(a.parameters, recording, a.loss()) == wanted);
      BasicGradient<Real> spans = wanted_other;
      moved.adjoint(a.parameters, recording, a.loss(), {spans.parameters, spans.x0, spans.context});
      EXPECT_TRUE(spans == wanted);
      a.plan = std::move(moved);
    }
  });
}

TEST_P(Recordings, OfVectorsOutliveWhatTheyWereMadeOf) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    const BasicGradient<Real> wanted = a.adjoint(a.record());
    const BasicRecording<Real> recording = a.record();
    a.x0.assign(a.x0.size(), Real{9});
    a.context.assign(a.context.size(), Real{9});
    EXPECT_TRUE(a.adjoint(recording) == wanted);
  });
}

TEST_P(Recordings, AreRefusedByAnotherPlan) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam()), b(GetParam());
    EXPECT_EQ(b.refuses(a.record()), not_the_plan);
    EXPECT_EQ(b.refuses(a.record_in_workspace()), not_the_plan);
    const BasicRecording<Real> recording = a.record();
    a.plan = make_plan<Real>(GetParam(), a.row.model);  // the plan it was made by is gone
    EXPECT_EQ(a.refuses(recording), not_the_plan);
  });
}

TEST_P(Recordings, ThatAreEmptyOrMovedFromAreRefused) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    EXPECT_EQ(a.refuses({}), empty);
    BasicRecording<Real> first = a.record();
    BasicRecording<Real> second = std::move(first);
    EXPECT_EQ(a.refuses(first), empty);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(refusal([&] { first.paths(); }).substr(0, 16), "recording.paths:");
    first = std::move(second);
    EXPECT_EQ(a.refuses(second), empty);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(refusal([&] { a.adjoint(first); }), "accepted");
  });
}

TEST_P(Recordings, AreRefusedWithOtherParameters) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    const std::vector<Real> parameters = a.parameters;
    for (const bool own : {true, false}) {
      const BasicRecording<Real> recording = own ? a.record() : a.record_in_workspace();
      for (const std::size_t p : {std::size_t{0}, parameters.size() - 1}) {
        a.parameters[p] += Real{1};
        EXPECT_EQ(a.refuses(recording), changed("parameters", "other numbers"));
        a.parameters = parameters;
      }
      a.parameters.pop_back();
      EXPECT_EQ(a.refuses(recording), changed("parameters", "fewer parameters"));
      // What follows the model's own is none of the plan's.
      a.parameters = parameters;
      a.parameters.resize(parameters.size() + 9, Real{1});
      EXPECT_EQ(refusal([&] { a.adjoint(recording); }), "accepted");
      a.parameters = parameters;
    }
  });
}

TEST_P(Recordings, InTheCallersMemoryAreRefusedWhenItHasChanged) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    const BasicRecording<Real> recording = a.record_in_workspace();
    a.x0.back() += Real{1};
    EXPECT_EQ(a.refuses(recording), changed("x0", "other numbers"));
    a.x0.back() -= Real{1};
    a.context.front() += Real{1};
    EXPECT_EQ(a.refuses(recording), changed("context", "other numbers"));
  });
}

TEST_P(Recordings, AreRefusedWhenALaterCallHasWrittenToTheirWorkspace) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    const auto expect_overwritten_by = [&](const auto& later) {
      const BasicRecording<Real> recording = a.record_in_workspace();
      later();
      EXPECT_EQ(a.refuses(recording), overwritten);
    };
    expect_overwritten_by([&] { a.plan.simulate(a.parameters, a.request, {}, a.workspace); });
    const BasicGradient<Real> wanted = a.adjoint(a.record());
    expect_overwritten_by([&] {  // the later one stands
      const BasicRecording<Real> later = a.record_in_workspace();
      EXPECT_TRUE(a.adjoint(later) == wanted);
    });
    if (in_the_plan()) {
      expect_overwritten_by([&] { a.plan.simulate(a.parameters, a.request); });
      expect_overwritten_by([&] { a.record(); });
      const BasicRecording<Real> recording = a.record();
      a.plan.simulate(a.parameters, a.request);
      EXPECT_EQ(a.refuses(recording), overwritten);
    } else {
      Case<Real> b(GetParam());
      expect_overwritten_by([&] { b.plan.simulate(b.parameters, b.request, {}, a.workspace); });
      expect_overwritten_by([&] { std::memset(a.workspace.data(), 0, a.workspace.size()); });
      // One with memory of its own outlasts other calls.
      const BasicRecording<Real> recording = a.record();
      a.record();
      a.plan.simulate(a.parameters, a.request, {}, a.workspace);
      EXPECT_TRUE(a.adjoint(recording) == wanted);
    }
  });
}

/// A call that is refused has written nothing.
TEST_P(Recordings, OutlastARefusedCall) {
  on_its_numbers([]<class Real>(Real) {
    Case<Real> a(GetParam());
    const BasicGradient<Real> wanted = a.adjoint(a.record());
    const BasicRecording<Real> recording = a.record_in_workspace();
    BasicRequest<Real> bad = a.request;
    bad.paths = 0;
    EXPECT_NE(refusal([&] { a.plan.record(a.parameters, bad, {}, a.workspace); }), "accepted");
    EXPECT_TRUE(a.adjoint(recording) == wanted);
  });
}

/// Whatever stays of the states: all of them, some, or the last.
TEST(RecordingsOfEveryMethod, AreDifferentiatedTwice) {
  std::vector<EngineKind> kinds = host_engines();
  kinds.push_back(engines_of_every_kernel().back());
  ASSERT_EQ(kinds.back().kernels, CudaKernels::per_path);
  for (const EngineKind& kind : kinds) {
    for (const GradientMethod method :
         {GradientMethod::adjoint, GradientMethod::reversible, GradientMethod::stochastic_adjoint,
          GradientMethod::pathwise}) {
      SCOPED_TRACE(kind.name + ", " + std::string(name(method)));
      ModelCase row = model_case("context_of_three");
      row.model.solver = Solver::reversible_heun;
      const auto twice = [&]<class Real>(Real) {
        Case<Real> a(kind, row, {.gradient = method});
        const BasicRecording<Real> recording = a.record_in_workspace();
        const BasicGradient<Real> once = a.adjoint(recording);
        a.plan.adjoint(a.parameters, recording, a.other_loss());
        EXPECT_TRUE(a.adjoint(recording) == once);
      };
      kind.double_precision ? twice(double{}) : twice(float{});
    }
  }
}

/// Where the states of a recording stand, others give another gradient: an adjoint runs no path
/// again.
TEST(RecordingsOnTheHost, AreWhatAnAdjointReads) {
  for (const EngineKind& kind : host_engines()) {
    SCOPED_TRACE(kind.name);
    const auto read = [&]<class Real>(Real) {
      Case<Real> a(kind);
      const BasicRecording<Real> recording = a.record_in_workspace();
      const BasicGradient<Real> wanted = a.adjoint(recording);
      a.plan.record(a.parameters, a.request);  // no matter
      std::vector<std::byte> kept(a.workspace);
      Case<Real> b(kind);
      b.x0.assign(b.x0.size(), Real{2});
      b.record_in_workspace();
      constexpr std::size_t stamp = 64;
      std::copy(b.workspace.begin() + stamp, b.workspace.end(), a.workspace.begin() + stamp);
      EXPECT_FALSE(a.adjoint(recording) == wanted);
      a.workspace.assign(kept.begin(), kept.end());
      EXPECT_TRUE(a.adjoint(recording) == wanted);
    };
    kind.double_precision ? read(double{}) : read(float{});
  }
}

/// A device that counts the kernels of each name.
class CountingGpu : public EmulatedGpu {
 public:
  static GpuProperties one_multiprocessor() {
    GpuProperties properties = emulated_properties();
    properties.multiprocessors = 1;
    return properties;
  }
  CountingGpu() : EmulatedGpu({.properties = one_multiprocessor()}) {}

  std::vector<std::string> launched;
  int count(const char* name) const {
    return static_cast<int>(std::count(launched.begin(), launched.end(), name));
  }
  void launch(const GpuKernel& kernel, LaunchShape shape, const void* argument,
              std::size_t argument_bytes, GpuStream stream) override {
    launched.push_back(kernel.name);
    EmulatedGpu::launch(kernel, shape, argument, argument_bytes, stream);
  }
};

class RecordingsOnAStream : public ::testing::TestWithParam<CudaKernels> {
 protected:
  RecordingsOnAStream() { replace_gpu(gpu); }
  ~RecordingsOnAStream() override { replace_gpu(std::make_shared<EmulatedGpu>()); }

  // The emulated device's memory is the host's.
  std::shared_ptr<CountingGpu> gpu = std::make_shared<CountingGpu>();
};
INSTANTIATE_TEST_SUITE_P(Of, RecordingsOnAStream,
                         ::testing::Values(CudaKernels::fused, CudaKernels::layered,
                                           CudaKernels::per_path),
                         [](const auto& kernels) {
                           return kernels.param == CudaKernels::per_path
                                      ? std::string("per_path")
                                      : std::string(name(kernels.param));
                         });

TEST_P(RecordingsOnAStream, BelongToItAndToTheAddressOfTheParameters) {
  const EngineKind kind{.name = "cuda", .device = Device::cuda(), .kernels = GetParam()};
  Case<float> a(kind), b(kind);
  int one = 0, two = 0;
  const Stream on{&one}, other{&two};
  std::vector<float> gradient(a.parameters.size());
  const auto refuses = [&](Plan& plan, Stream stream, const Recording& recording) {
    return refusal(
        [&] { plan.adjoint(stream, a.parameters, recording, a.loss(), {.parameters = gradient}); });
  };
  const Recording recording = a.plan.record(on, a.parameters, a.request, {}, a.workspace);
  EXPECT_EQ(refuses(a.plan, on, recording), "accepted");
  const std::vector<float> wanted = gradient;
  gradient.assign(gradient.size(), 0.0F);
  EXPECT_EQ(refuses(a.plan, on, recording), "accepted");
  EXPECT_EQ(gradient, wanted);
  EXPECT_EQ(wanted, a.adjoint(a.record()).parameters);

  EXPECT_EQ(refuses(a.plan, other, recording),
            "recording.stream: got another stream; accepted: the stream it was put on");
  EXPECT_EQ(a.refuses(recording),
            "recording.stream: got no stream; accepted: the stream it was put on");
  EXPECT_EQ(refuses(a.plan, on, a.record()),
            "recording.stream: got a stream; accepted: none: it was recorded without one");
  EXPECT_EQ(refuses(b.plan, on, recording), not_the_plan);
  EXPECT_EQ(refuses(a.plan, on, Recording()), empty);
  a.parameters.swap(b.parameters);
  EXPECT_EQ(refuses(a.plan, on, recording), changed("parameters", "parameters at another address"));
}

TEST_P(RecordingsOnAStream, AreRefusedWhenTheLastRunHasWrittenToTheirWorkspace) {
  const EngineKind kind{.name = "cuda", .device = Device::cuda(), .kernels = GetParam()};
  Case<float> a(kind);
  const Stream on{};
  const std::span<std::byte> whole(a.workspace);
  std::vector<std::byte> elsewhere(whole.size() + 64);
  const auto adjoint = [&](const Recording& recording) {
    return refusal([&] { a.plan.adjoint(on, a.parameters, recording, a.loss(), {}, {}); });
  };
  const auto record = [&](std::span<std::byte> workspace) {
    return a.plan.record(on, a.parameters, a.request, {}, workspace);
  };
  const Recording first = record(whole);
  const Recording beside = record(std::span(elsewhere).first(whole.size()));
  EXPECT_EQ(adjoint(first), "accepted");
  EXPECT_EQ(adjoint(beside), "accepted");
  record(std::span(elsewhere).last(whole.size()));  // overlaps
  EXPECT_EQ(adjoint(beside), overwritten);
  EXPECT_EQ(adjoint(first), "accepted");
  a.plan.simulate(on, a.parameters, a.request, {}, whole);
  EXPECT_EQ(adjoint(first), overwritten);
}

/// The README's first example: the forward loop runs when it is recorded, and no more.
TEST_P(RecordingsOnAStream, RunTheForwardLoopOnce) {
  Case<float> a({.name = "cuda", .device = Device::cuda(), .kernels = GetParam()});
  const char* forward = GetParam() == CudaKernels::layered ? "ito_start" : "ito_simulate";
  gpu->launched.clear();
  a.plan.simulate(a.parameters, a.request);
  const int once = gpu->count(forward);
  EXPECT_GT(once, 0);
  gpu->launched.clear();
  const Recording recording = a.record();
  EXPECT_EQ(gpu->count(forward), once);
  a.adjoint(recording);
  a.adjoint(recording);
  EXPECT_EQ(gpu->count(forward), once);
}

}  // namespace
}  // namespace ito::test
