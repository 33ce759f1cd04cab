// Latent models and their data: fit, evaluate, sample, and what lies between.
#include "arrays.hpp"
#include "options.hpp"

namespace ito::python {

template <class Visitor>
void fields(FitOptions& options, Visitor& visit) {
  visit("epochs", options.epochs);
  visit("batch", options.batch);
  visit("samples", options.samples);
  named_field(visit, "objective", options.objective, parse_objective);
  visit("learning_rate", options.learning_rate);
  named_field(visit, "schedule", options.schedule, parse_schedule);
  visit("decay", options.decay);
  visit("warmup_epochs", options.warmup_epochs);
  visit("clip_norm", options.clip_norm);
  visit("energy_weight", options.energy_weight);
  visit("annealing_epochs", options.annealing_epochs);
  visit("annealing_cycles", options.annealing_cycles);
  visit("averaging", options.averaging);
  visit("non_finite_limit", options.non_finite_limit);
  visit("fixed", options.fixed);
  visit("seed", options.seed);
  visit("held_out_samples", options.held_out_samples);
  visit("patience", options.patience);
  visit("checkpoint", options.checkpoint);
  visit("checkpoint_every", options.checkpoint_every);
  visit("resume", options.resume);
  visit("train_longer", options.train_longer);
  execution_fields(visit, options.execution);
}

template <class Visitor>
void fields(EvaluateOptions& options, Visitor& visit) {
  visit("samples", options.samples);
  visit("seed", options.seed);
  visit("non_finite_limit", options.non_finite_limit);
  execution_fields(visit, options.execution);
}

template <class Visitor>
void fields(StandardErrorOptions& options, Visitor& visit) {
  visit("tensors", options.tensors);
  visit("samples", options.samples);
  visit("seed", options.seed);
  execution_fields(visit, options.execution);
}

namespace {

Dataset dataset(nb::handle values, nb::handle inputs) {
  const HostArray y(values, "data"), v(inputs, "inputs", true);
  const auto numbers = y.numbers<const float>({{0, 0, 0}});
  const auto shape = y.shape();
  Dataset data;
  data.count = shape[0];
  data.times = shape[1];
  data.dimension = shape[2];
  data.values.assign(numbers.begin(), numbers.end());
  if (v.given()) {
    const auto given = v.numbers<const float>({{shape[0], 0, 0}});
    data.inputs.assign(given.begin(), given.end());
  }
  return data;
}

/// An epoch's numbers, or those of a history, by name.
template <class Visitor>
void record_fields(const EpochRecord& record, Visitor&& visit) {
  visit("epoch", static_cast<double>(record.epoch));
  visit("elbo", record.elbo);
  visit("held_out_elbo", record.held_out_elbo);
  visit("held_out_iwae", record.held_out_iwae);
  visit("held_out_ess", record.held_out_ess);
  visit("energy", record.energy);
  visit("gradient_norm", record.gradient_norm);
  visit("learning_rate", record.learning_rate);
  visit("non_finite", static_cast<double>(record.non_finite));
}

nb::dict history_of(const FitResult& result) {
  nb::dict all;
  record_fields(EpochRecord{}, [&](const char* name, double) {
    std::vector<double> column;
    for (const EpochRecord& record : result.history)
      record_fields(record, [&](const std::string& field, double value) {
        if (field == name) column.push_back(value);
      });
    const std::size_t rows = column.size();
    all[name] = numpy_array(std::move(column), {rows});
  });
  return all;
}

/// An exception out of the callback ends the fit, but for Ctrl-C, which may come to the callback as
/// well: it becomes `signal`, which the fit stops by.
ProgressCallback progress_of(const nb::object& callback, nb::object& signal) {
  if (callback.is_none()) return {};
  return [&callback, &signal](const Progress& progress) {
    const nb::gil_scoped_acquire acquire;
    nb::dict record;
    record_fields(progress.record, [&](const char* name, double value) { record[name] = value; });
    record["epochs"] = progress.epochs;
    record["path_steps_per_second"] = progress.path_steps_per_second;
    record["seconds"] = progress.seconds;
    record["seconds_left"] = progress.seconds_left;
    try {
      callback(record);
    } catch (const nb::python_error& raised) {
      if (!raised.matches(PyExc_KeyboardInterrupt)) throw;
      signal = nb::borrow(raised.value());
    }
  };
}

nb::dict fit_model(const LatentModel& latent, const Dataset& training, const Dataset& held_out,
                   nb::dict options_given, nb::handle start, const nb::object& progress) {
  auto options = read_options<FitOptions>(std::move(options_given));
  if (!start.is_none()) {
    options.start = zero_parameters(latent);
    const auto values = HostArray(start, "start").numbers<const float>({{options.start.size()}});
    std::ranges::copy(values, options.start.values().begin());
  }
  nb::object signal;  // what Ctrl-C, or another signal's handler, has raised
  const auto stop = [&] {
    const nb::gil_scoped_acquire acquire;
    if (signal.is_valid()) return true;
    if (PyErr_CheckSignals() == 0) return false;
    const nb::python_error raised;
    signal = nb::borrow(raised.value());
    return true;
  };
  FitResult result;
  {
    const ProgressCallback callback = progress_of(progress, signal);
    nb::gil_scoped_release release;
    result = fit(latent, options, training, held_out, callback, stop);
  }
  nb::dict all;
  all["parameters"] = flat_array(result.parameters);
  all["average"] = flat_array(result.average);
  all["last"] = flat_array(result.last);
  all["best"] = result.best.size() > 0 ? flat_array(result.best) : nb::none();
  all["best_epoch"] = result.best_epoch;
  all["chosen"] = std::string(name(result.chosen));
  all["history"] = history_of(result);
  all["stopped_early"] = result.stopped_early;
  all["interrupted"] = result.interrupted;
  all["signal"] = signal.is_valid() ? signal : nb::none();
  return all;
}

nb::dict evaluate_model(const LatentModel& latent, nb::handle parameters, const Dataset& data,
                        nb::dict options_given) {
  const auto options = read_options<EvaluateOptions>(std::move(options_given));
  const auto values = flat_parameters(parameters);
  Evaluation made;
  {
    nb::gil_scoped_release release;
    made = evaluate(latent, values, options, data);
  }
  nb::dict all;
  all["observations"] = made.observations;
  all["samples"] = made.samples;
  all["elbo"] = made.elbo;
  all["elbo_error"] = made.elbo_error;
  all["reconstruction"] = made.reconstruction;
  all["energy"] = made.energy;
  all["iwae"] = made.iwae;
  all["iwae_error"] = made.iwae_error;
  all["log_marginal_error"] = made.log_marginal_error;
  all["ess"] = made.ess;
  all["tail_shape"] = made.tail_shape;
  all["tail_shape_limit"] = made.tail_shape_limit;
  all["tail_shape_above"] = made.tail_shape_above;
  all["smoothed_log_marginal"] = made.smoothed_log_marginal;
  all["smoothed_log_marginal_error"] = made.smoothed_log_marginal_error;
  all["smoothed_ess"] = made.smoothed_ess;
  all["non_finite"] = made.non_finite;
  const std::size_t n = made.log_marginal.size(), tails = made.tail_shapes.size();
  all["log_marginal"] = numpy_array(std::move(made.log_marginal), {n});
  all["tail_shapes"] = numpy_array(std::move(made.tail_shapes), {tails});
  return all;
}

nb::object sample_model(const LatentModel& latent, nb::handle parameters, std::size_t count,
                        std::uint64_t seed, bool mean, nb::handle inputs, const std::string& device,
                        int threads) {
  const auto values = flat_parameters(parameters);
  const HostArray given(inputs, "inputs", true);
  const SampleOptions options{.seed = seed,
                              .mean = mean,
                              .inputs = given.numbers<const float>(),
                              .execution = {parse_device(device), threads}};
  Dataset drawn;
  {
    nb::gil_scoped_release release;
    drawn = sample(latent, values, count, options);
  }
  return numpy_array(std::move(drawn.values), {drawn.count, drawn.times, drawn.dimension});
}

nb::object encode_data(const LatentModel& latent, nb::handle parameters, const Dataset& data,
                       const std::string& device, int threads) {
  const auto values = flat_parameters(parameters);
  const Execution where{parse_device(device), threads};
  std::vector<float> made;
  {
    nb::gil_scoped_release release;
    made = encode(latent, values, data, where);
  }
  const auto [rows, width] = context_row(latent.model);
  return numpy_array(std::move(made), {data.count, rows, width});
}

nb::object decode_states(const LatentModel& latent, nb::handle parameters, nb::handle states,
                         bool mean, const std::string& device, int threads) {
  const auto values = flat_parameters(parameters);
  const HostArray given(states, "states");
  const auto d = static_cast<std::size_t>(latent.model.state), s = latent.model.save.size();
  const auto numbers = given.numbers<const float>({{0, s, d}});
  const Execution where{parse_device(device), threads};
  std::vector<float> made;
  {
    nb::gil_scoped_release release;
    made = decode(latent, values, numbers, where);
    if (mean) made = observation_mean(latent, values, made);
  }
  return numpy_array(std::move(made),
                     {given.shape()[0], s, static_cast<std::size_t>(latent.observed)});
}

nb::dict errors_of(const LatentModel& latent, nb::handle parameters, const Dataset& data,
                   nb::dict options_given) {
  const auto options = read_options<StandardErrorOptions>(std::move(options_given));
  const auto values = flat_parameters(parameters);
  ParameterErrors made;
  {
    nb::gil_scoped_release release;
    made = standard_errors(latent, values, data, options);
  }
  nb::list names;
  std::vector<double> at, error;
  for (const ParameterError& one : made.parameters) {
    names.append(nb::make_tuple(one.tensor, one.element));
    at.push_back(one.value);
    error.push_back(one.error);
  }
  const std::size_t p = at.size();
  nb::dict all;
  all["names"] = names;
  all["values"] = numpy_array(std::move(at), {p});
  all["errors"] = numpy_array(std::move(error), {p});
  all["information"] = numpy_array(std::move(made.information), {p, p});
  all["covariance"] = numpy_array(std::move(made.covariance), {p, p});
  return all;
}

}  // namespace

void add_inference(nb::module_& module) {
  nb::class_<Dataset>(module, "Dataset")
      .def(nb::new_([](nb::handle values, nb::handle inputs) { return dataset(values, inputs); }),
           nb::arg("values"), nb::arg("inputs").none())
      .def("__len__", [](const Dataset& data) { return data.count; })
      .def("values", [](const Dataset& data) {
        return numpy_array(std::vector<float>(data.values),
                           {data.count, data.times, data.dimension});
      });
  module.def("read_dataset",
             [](const std::filesystem::path& file, std::size_t times, const std::string& header) {
               const Header how = parse_header(header);
               nb::gil_scoped_release release;
               return read_dataset(file, times, how);
             });
  module.def("fit", fit_model, nb::arg("latent"), nb::arg("training"), nb::arg("held_out"),
             nb::arg("options"), nb::arg("start").none(), nb::arg("progress").none());
  module.def("evaluate", evaluate_model);
  module.def("sample", sample_model, nb::arg("latent"), nb::arg("parameters"), nb::arg("count"),
             nb::arg("seed"), nb::arg("mean"), nb::arg("inputs").none(), nb::arg("device"),
             nb::arg("threads"));
  module.def("encode", encode_data);
  module.def("decode", decode_states);
  module.def("standard_errors", errors_of);
  module.def("fit_defaults", default_options<FitOptions>);
  module.def("evaluate_defaults", default_options<EvaluateOptions>);
  module.def("standard_error_defaults", default_options<StandardErrorOptions>);
}

}  // namespace ito::python
