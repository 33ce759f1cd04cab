// Time series at times of their own: their data, forecasts, imputations and scores.
#include <nanobind/stl/optional.h>

#include "arrays.hpp"
#include "options.hpp"

namespace ito::python {

template <class Visitor>
void fields(ForecastOptions& options, Visitor& visit) {
  visit("samples", options.samples);
  visit("seed", options.seed);
  visit("least_ess", options.least_ess);
  visit("mean", options.mean);
  visit("quantiles", options.quantiles);
  execution_fields(visit, options.execution);
}

template <class Visitor>
void fields(ImputeOptions& options, Visitor& visit) {
  visit("samples", options.samples);
  visit("seed", options.seed);
  visit("least_ess", options.least_ess);
  visit("mean", options.mean);
  visit("denoise", options.denoise);
  visit("quantiles", options.quantiles);
  execution_fields(visit, options.execution);
}

namespace {

SeriesDataset dataset(std::vector<std::string> columns, std::vector<std::string> input_columns,
                      const nb::list& series) {
  SeriesDataset data{std::move(columns), std::move(input_columns), {}};
  for (const nb::handle one : series) {
    const auto parts = nb::cast<nb::tuple>(one);
    Series made{.name = nb::cast<std::string>(nb::str(parts[0]))};
    const HostArray times(parts[1], "times"), values(parts[2], "values", false),
        inputs(parts[3], "inputs", false);
    const auto t = times.numbers<const double>({{0}});
    const auto y = values.numbers<const float>({{t.size(), data.dimension()}});
    const auto v = inputs.numbers<const float>({{t.size(), data.input_dimension()}});
    made.times.assign(t.begin(), t.end());
    made.values.assign(y.begin(), y.end());
    made.inputs.assign(v.begin(), v.end());
    data.series.push_back(std::move(made));
  }
  return data;
}

nb::list parts_of(const SeriesDataset& data) {
  nb::list all;
  for (const Series& one : data.series) {
    const std::size_t t = one.length();
    all.append(
        nb::make_tuple(one.name, numpy_array(std::vector<double>(one.times), {t}),
                       numpy_array(std::vector<float>(one.values), {t, data.dimension()}),
                       numpy_array(std::vector<float>(one.inputs), {t, data.input_dimension()})));
  }
  return all;
}

nb::list predictions_of(std::vector<SeriesPrediction> all, std::size_t columns,
                        std::size_t quantiles) {
  nb::list list;
  for (SeriesPrediction& one : all) {
    const std::size_t t = one.times.size(), numbers = t * columns;
    const std::size_t samples = numbers > 0 ? one.samples.size() / numbers : 0;
    nb::dict made;
    made["name"] = one.name;
    made["times"] = numpy_array(std::move(one.times), {t});
    made["samples"] = numpy_array(std::move(one.samples), {samples, t, columns});
    made["mean"] = numpy_array(std::move(one.mean), {t, columns});
    made["deviation"] = numpy_array(std::move(one.deviation), {t, columns});
    made["quantiles"] = numpy_array(std::move(one.quantiles), {quantiles, t, columns});
    made["ess"] = one.ess;
    made["power"] = one.power;
    list.append(made);
  }
  return list;
}

nb::list forecast_series(const SeriesModel& model, nb::handle parameters, const SeriesDataset& seen,
                         const nb::object& times, nb::handle inputs, nb::dict options_given) {
  auto options = read_options<ForecastOptions>(std::move(options_given));
  const HostArray given(inputs, "inputs", true);
  options.inputs = given.numbers<const float>();
  const auto values = flat_parameters(parameters);
  std::vector<SeriesPrediction> made;
  if (nb::isinstance<SeriesDataset>(times)) {
    const auto& later = nb::cast<const SeriesDataset&>(times);
    nb::gil_scoped_release release;
    made = forecast(model, values, seen, later, options);
  } else {
    const auto at = HostArray(times, "times").numbers<const double>({{0}});
    nb::gil_scoped_release release;
    made = forecast(model, values, seen, at, options);
  }
  return predictions_of(std::move(made), seen.dimension(), options.quantiles.size());
}

nb::list impute_series(const SeriesModel& model, nb::handle parameters, const SeriesDataset& data,
                       nb::handle times, nb::dict options_given) {
  const auto options = read_options<ImputeOptions>(std::move(options_given));
  const auto at = HostArray(times, "times", true).numbers<const double>({{0}});
  const auto values = flat_parameters(parameters);
  std::vector<SeriesPrediction> made;
  {
    nb::gil_scoped_release release;
    made = impute(model, values, data, at, options);
  }
  return predictions_of(std::move(made), data.dimension(), options.quantiles.size());
}

nb::dict scores_of(const PredictionScores& scores) {
  nb::dict all;
  all["mse"] = scores.mse;
  all["sample_mse"] = scores.sample_mse;
  all["nll"] = scores.nll;
  all["crps"] = scores.crps;
  for (std::size_t i = 0; i < coverage_levels.size(); ++i) {
    const auto percent = static_cast<int>(100 * coverage_levels[i] + 0.5);
    all[("coverage_" + std::to_string(percent)).c_str()] = scores.coverage[i];
  }
  all["ess"] = scores.ess;
  all["power"] = scores.power;
  return all;
}

nb::dict all_scores(const SeriesScores& scores) {
  nb::dict all, each;
  for (const SeriesScore& one : scores.series) each[one.name.c_str()] = scores_of(one.scores);
  all["mean"] = scores_of(scores.mean);
  all["error"] = scores_of(scores.error);
  all["numbers"] = scores.numbers;
  all["skipped"] = scores.skipped;
  all["series"] = each;
  return all;
}

/// One of the two ways to score predictions.
template <class Options, auto score>
nb::dict score_series(const SeriesModel& model, nb::handle parameters, const SeriesDataset& known,
                      const SeriesDataset& truth, nb::dict options_given) {
  const auto options = read_options<Options>(std::move(options_given));
  const auto values = flat_parameters(parameters);
  SeriesScores made;
  {
    nb::gil_scoped_release release;
    made = score(model, values, known, truth, options);
  }
  return all_scores(made);
}

SeriesDataset sample_model(const SeriesModel& model, nb::handle parameters, nb::handle times,
                           std::size_t count, std::uint64_t seed, bool mean, nb::handle inputs,
                           const std::string& device, int threads) {
  const auto at = HostArray(times, "times").numbers<const double>({{0}});
  const HostArray given(inputs, "inputs", true);
  const SampleOptions options{.seed = seed,
                              .mean = mean,
                              .inputs = given.numbers<const float>(),
                              .execution = {parse_device(device), threads}};
  const auto values = flat_parameters(parameters);
  nb::gil_scoped_release release;
  return sample_series(model, values, at, count, options);
}

SeriesDataset sample_like(const SeriesModel& model, nb::handle parameters,
                          const SeriesDataset& like, std::uint64_t seed, bool mean,
                          const std::string& device, int threads) {
  const SampleOptions options{
      .seed = seed, .mean = mean, .inputs = {}, .execution = {parse_device(device), threads}};
  const auto values = flat_parameters(parameters);
  nb::gil_scoped_release release;
  return sample_series(model, values, like, options);
}

SeriesFormat format_of(std::string series, std::string time, std::vector<std::string> exclude,
                       std::vector<std::string> inputs, std::vector<double> times, double step,
                       std::size_t wide_times, const std::string& header) {
  return {.series = std::move(series),
          .time = std::move(time),
          .exclude = std::move(exclude),
          .inputs = std::move(inputs),
          .times = std::move(times),
          .step = step,
          .wide_times = wide_times,
          .header = parse_header(header)};
}

nb::tuple pair(SeriesSplit split) {
  return nb::make_tuple(std::move(split.first), std::move(split.second));
}

}  // namespace

void add_series(nb::module_& module) {
  nb::class_<SeriesDataset>(module, "SeriesDataset")
      .def(nb::new_([](std::vector<std::string> columns, std::vector<std::string> inputs,
                       const nb::list& series) {
        SeriesDataset data = dataset(std::move(columns), std::move(inputs), series);
        check_series(data);
        return data;
      }))
      .def("__len__", &SeriesDataset::count)
      .def_ro("columns", &SeriesDataset::columns)
      .def_ro("input_columns", &SeriesDataset::input_columns)
      .def("parts", parts_of)
      .def("select", [](const SeriesDataset& data,
                        const std::vector<std::size_t>& indices) { return data.select(indices); })
      .def("apply", [](const SeriesDataset& data, const std::string& json) {
        return parse_standardization(json).apply(data);
      });
  module.def("read_series", [](const std::filesystem::path& file, std::string series,
                               std::string time, std::vector<std::string> exclude,
                               std::vector<std::string> inputs, std::vector<double> times,
                               double step, std::size_t wide_times, const std::string& header) {
    return read_series(
        file, format_of(std::move(series), std::move(time), std::move(exclude), std::move(inputs),
                        std::move(times), step, wide_times, header));
  });
  module.def("write_series_csv", [](const SeriesDataset& data, const std::filesystem::path& file) {
    write_series_csv(file, data);
  });
  module.def("write_series_npz", [](const SeriesDataset& data, const std::filesystem::path& file) {
    write_series_npz(file, data);
  });
  module.def("split_series", [](const SeriesDataset& data, std::size_t count, std::uint64_t seed) {
    return pair(split_series(data, count, seed));
  });
  module.def("split_after",
             [](const SeriesDataset& data, double time) { return pair(split_after(data, time)); });
  module.def("hide_values", [](const SeriesDataset& data, double fraction, std::uint64_t seed) {
    return pair(hide_values(data, fraction, seed));
  });
  module.def("fit_standardization",
             [](const SeriesDataset& data) { return to_json(fit_standardization(data)); });
  module.def(
      "latent_series",
      [](const SeriesModel& model, const SeriesDataset& first, const SeriesDataset* second) {
        SeriesSplit split{first, second ? *second : SeriesDataset{}};
        if (!second) split.second.columns = first.columns;
        if (!second) split.second.input_columns = first.input_columns;
        LatentSeriesSplit made = latent_series(model, split);
        return nb::make_tuple(std::move(made.latent), std::move(made.first),
                              std::move(made.second));
      },
      nb::arg("model"), nb::arg("first"), nb::arg("second").none());
  module.def("forecast", forecast_series, nb::arg("model"), nb::arg("parameters"), nb::arg("seen"),
             nb::arg("times"), nb::arg("inputs").none(), nb::arg("options"));
  module.def("impute", impute_series, nb::arg("model"), nb::arg("parameters"), nb::arg("data"),
             nb::arg("times").none(), nb::arg("options"));
  module.def("score_forecasts", score_series<ForecastOptions, score_forecasts>);
  module.def("score_imputations", score_series<ImputeOptions, score_imputations>);
  module.def("sample_series", sample_model, nb::arg("model"), nb::arg("parameters"),
             nb::arg("times"), nb::arg("count"), nb::arg("seed"), nb::arg("mean"),
             nb::arg("inputs").none(), nb::arg("device"), nb::arg("threads"));
  module.def("sample_like", sample_like);
  module.def("forecast_defaults", default_options<ForecastOptions>);
  module.def("impute_defaults", default_options<ImputeOptions>);
}

}  // namespace ito::python
