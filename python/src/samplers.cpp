// Samplers of unnormalised densities, Föllmer drifts, and series made for examples.
#include <nanobind/stl/optional.h>

#include <ito/lab/lab.hpp>

#include "arrays.hpp"
#include "options.hpp"

namespace ito::lab {

// Names of the losses, as those of the core have them.
inline std::string_view name(SamplerLoss loss) {
  switch (loss) {
    case SamplerLoss::kl:
      return "kl";
    case SamplerLoss::sticking_the_landing:
      return "sticking-the-landing";
    case SamplerLoss::log_variance:
      return "log-variance";
    case SamplerLoss::trajectory_balance:
      return "trajectory-balance";
  }
  return {};
}

inline SamplerLoss parse_sampler_loss(std::string_view text) {
  for (const auto loss : {SamplerLoss::kl, SamplerLoss::sticking_the_landing,
                          SamplerLoss::log_variance, SamplerLoss::trajectory_balance}) {
    if (name(loss) == text) return loss;
  }
  throw Error("loss", std::string(text),
              "kl, sticking-the-landing, log-variance, trajectory-balance");
}

}  // namespace ito::lab

namespace ito::python {

using lab::Sampler;
using lab::SamplerOptions;
using lab::Target;

template <class Visitor>
void fields(SamplerOptions& options, Visitor& visit) {
  visit("horizon", options.horizon);
  visit("steps", options.steps);
  visit("grading", options.grading);
  visit("parts", options.parts);
  std::string loss(lab::name(options.loss));
  visit("loss", loss);
  options.loss = lab::parse_sampler_loss(loss);
  visit("iterations", options.iterations);
  visit("paths", options.paths);
  visit("learning_rate", options.learning_rate);
  visit("clip_norm", options.clip_norm);
  visit("annealing", options.annealing);
  visit("averaging", options.averaging);
  visit("non_finite_limit", options.non_finite_limit);
  visit("seed", options.seed);
  execution_fields(visit, options.execution);
}

template <class Visitor>
void fields(lab::FollmerOptions& options, Visitor& visit) {
  visit("steps", options.steps);
  visit("hidden", options.drift.hidden);
  visit("iterations", options.iterations);
  visit("batch", options.batch);
  visit("learning_rate", options.learning_rate);
  visit("averaging", options.averaging);
  visit("seed", options.seed);
  execution_fields(visit, options.execution);
}

template <class Visitor>
void fields(lab::ObservationPattern& pattern, Visitor& visit) {
  visit("series", pattern.series);
  visit("times", pattern.times);
  visit("horizon", pattern.horizon);
  visit("irregular", pattern.irregular);
  visit("gap", pattern.gap);
  visit("missing", pattern.missing);
  visit("seed", pattern.seed);
}

namespace {

/// A Python function of one state: its value, or (value, gradient) where it is differentiable. It
/// is called with the GIL held, a row at a time. The caller keeps it alive: held here, it would be
/// out of sight of Python's collector, and with it whatever it refers to.
LogDensity log_density_of(nb::handle function, bool differentiable) {
  return [function, differentiable](std::span<const double> x, std::span<double> gradient) {
    const nb::gil_scoped_acquire acquire;
    const nb::object made =
        function(numpy_array(std::vector<double>(x.begin(), x.end()), {x.size()}));
    if (!differentiable) return nb::cast<double>(nb::float_(made));
    if (!(nb::isinstance<nb::tuple>(made) || nb::isinstance<nb::list>(made)) ||
        nb::len(made) != 2) {
      const std::string message = std::string("log_density: got ") + nb::repr(made).c_str() +
                                  "; accepted: (value, gradient [d]), or differentiable=False";
      throw nb::type_error(message.c_str());
    }
    const nb::object parts[] = {made[0], made[1]};
    if (!gradient.empty()) {
      const auto slope =
          HostArray(parts[1], "gradient of log_density").numbers<const double>({{x.size()}});
      std::ranges::copy(slope, gradient.begin());
    }
    return nb::cast<double>(nb::float_(parts[0]));
  };
}

SamplerOptions options_of(nb::dict given, const std::string& control, const nb::object& reference) {
  auto options = read_options<SamplerOptions>(std::move(given));
  if (!control.empty()) {
    options.control =
        parse_model(R"({"state": 1, "horizon": 1, "steps": 1, "control": )" + control + "}")
            .control;
  }
  if (reference.is_none()) return options;
  const auto parts = nb::cast<nb::tuple>(reference);
  const auto kind = nb::cast<std::string>(parts[0]);
  if (kind == "brownian") {
    options.reference = lab::BrownianReference{.start = nb::cast<std::vector<double>>(parts[1]),
                                               .scale = nb::cast<double>(parts[2]),
                                               .cooling = nb::cast<double>(parts[3])};
  } else if (kind == "ornstein-uhlenbeck") {
    options.reference = lab::OrnsteinUhlenbeckReference{.rate = nb::cast<double>(parts[1]),
                                                        .std = nb::cast<double>(parts[2])};
  } else {
    lab::PriorReference prior{.model = nb::cast<Model>(parts[1]),
                              .parameters = zero_parameters(nb::cast<Model>(parts[1]))};
    const auto values = HostArray(parts[2], "reference.parameters")
                            .numbers<const float>({{prior.parameters.size()}});
    std::ranges::copy(values, prior.parameters.values().begin());
    options.reference = std::move(prior);
  }
  return options;
}

/// Tells the callback, where there is one, how training stands: what both methods say, and what
/// `add` puts beside it. What Ctrl-C has raised ends the call.
template <class Progress, class Add>
void report(const nb::object& progress, const Progress& now, const Add& add) {
  const nb::gil_scoped_acquire acquire;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
  if (progress.is_none()) return;
  nb::dict record;
  record["iteration"] = now.iteration;
  record["iterations"] = now.iterations;
  record["loss"] = now.loss;
  add(record);
  progress(record);
}

Sampler train(const Target& target, nb::dict options_given, const std::string& control,
              const nb::object& reference, const nb::object& progress) {
  const SamplerOptions options = options_of(std::move(options_given), control, reference);
  const lab::SamplerCallback callback = [&](const lab::SamplerProgress& now) {
    report(progress, now, [&](nb::dict& record) {
      record["elbo"] = now.elbo;
      record["ess"] = now.ess;
      record["seconds"] = now.seconds;
    });
  };
  nb::gil_scoped_release release;
  return train_sampler(target, options, callback);
}

nb::dict run(const Target& target, const Sampler& sampler, std::size_t paths, std::uint64_t seed,
             const std::string& device, int threads) {
  const Execution where{parse_device(device), threads};
  lab::SampleSet made;
  {
    nb::gil_scoped_release release;
    made = run_sampler(target, sampler, paths, seed, where);
  }
  const lab::SamplerEstimate& of = made.estimate;
  const WeightSummary& weights = of.weights;
  nb::dict all;
  all["log_normalizer"] = weights.log_mean;
  all["log_normalizer_error"] = weights.log_mean_error;
  all["smoothed_log_normalizer"] = weights.smoothed_log_mean;
  all["smoothed_log_normalizer_error"] = weights.smoothed_log_mean_error;
  all["ess"] = weights.ess;
  all["tail_shape"] = weights.tail_shape;
  all["elbo"] = of.elbo;
  all["elbo_error"] = of.elbo_error;
  all["non_finite"] = of.non_finite;
  const std::size_t d = static_cast<std::size_t>(target.dimension);
  all["states"] = numpy_array(std::move(made.states), {paths, d});
  all["log_weights"] = numpy_array(std::move(made.log_weights), {paths});
  return all;
}

nb::tuple follmer(const Dataset& samples, nb::dict options_given, const nb::object& progress) {
  const auto options = read_options<lab::FollmerOptions>(std::move(options_given));
  const lab::FollmerCallback callback = [&](const lab::FollmerProgress& now) {
    report(progress, now, [](nb::dict&) {});
  };
  NeuralSde made;
  {
    nb::gil_scoped_release release;
    made = fit_follmer(options, samples, callback);
  }
  return nb::make_tuple(to_json(made.model), flat_array(made.parameters));
}

}  // namespace

void add_samplers(nb::module_& module) {
  nb::class_<Target>(module, "Target")
      .def(nb::new_([](int dimension, nb::handle log_density, bool differentiable) {
             return Target{.name = "target",
                           .dimension = dimension,
                           .log_density = log_density_of(log_density, differentiable),
                           .differentiable = differentiable};
           }),
           nb::arg("dimension"), nb::arg("log_density"), nb::arg("differentiable"))
      .def_ro("dimension", &Target::dimension)
      .def_ro("log_normalizer", &Target::log_normalizer)
      .def("__call__", [](const Target& target, nb::handle x) {
        const HostArray at(x, "x");
        const auto rows =
            at.numbers<const double>({{0, static_cast<std::size_t>(target.dimension)}});
        const std::size_t n = at.shape()[0], d = static_cast<std::size_t>(target.dimension);
        std::vector<double> values(n);
        for (std::size_t i = 0; i < n; ++i)
          values[i] = target.log_density(rows.subspan(i * d, d), {});
        return numpy_array(std::move(values), {n});
      });
  module.def("gaussian_mixture", lab::gaussian_mixture);
  module.def("grid_mixture", lab::grid_mixture);
  module.def("funnel", lab::funnel);
  module.def("many_well", lab::many_well);
  module.def("double_well", lab::double_well);
  nb::class_<Sampler>(module, "Sampler")
      .def_prop_ro("model", [](const Sampler& sampler) { return to_json(sampler.model); })
      .def_prop_ro("parameters",
                   [](const Sampler& sampler) { return flat_array(sampler.parameters); })
      .def_ro("parts", &Sampler::parts)
      .def_ro("log_normalizer", &Sampler::log_normalizer);
  module.def("train_sampler", train, nb::arg("target"), nb::arg("options"), nb::arg("control"),
             nb::arg("reference").none(), nb::arg("progress").none());
  module.def("run_sampler", run);
  module.def("fit_follmer", follmer, nb::arg("samples"), nb::arg("options"),
             nb::arg("progress").none());
  module.def("sampler_defaults", default_options<SamplerOptions>);
  module.def("follmer_defaults", default_options<lab::FollmerOptions>);

  module.def("sample_lorenz", [](nb::dict pattern, bool normalize, double observation_std) {
    const auto how = read_options<lab::ObservationPattern>(std::move(pattern));
    nb::gil_scoped_release release;
    return lab::sample_lorenz({.normalize = normalize, .observation_std = observation_std}, how);
  });
  module.def("sample_pendulum", [](nb::dict pattern, double frequency, double damping,
                                   double diffusion, double observation_std) {
    const auto how = read_options<lab::ObservationPattern>(std::move(pattern));
    nb::gil_scoped_release release;
    return lab::sample_pendulum({.frequency = frequency,
                                 .damping = damping,
                                 .diffusion = diffusion,
                                 .observation_std = observation_std},
                                how);
  });
  module.def("sample_ornstein_uhlenbeck", [](nb::dict pattern, int dimension, double rate,
                                             double mean, double std, double observation_std) {
    const auto how = read_options<lab::ObservationPattern>(std::move(pattern));
    nb::gil_scoped_release release;
    return sample_linear(lab::linear_model({dimension, rate, mean, std, observation_std}), how);
  });
}

}  // namespace ito::python
