#include "cli/fit_report.hpp"

#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/bounds.hpp"
#include "cli/figures.hpp"
#include "cli/html.hpp"

namespace ito::cli {
namespace {

std::string number(double value) {
  const std::string digits = fmt::format("{:.2f}", std::abs(value));
  return value < 0 ? "−" + digits : digits;
}

std::string with_error(double value, double error) { return number(value) + " ± " + number(error); }

std::string headline(const FitReport& report) {
  if (!report.evaluation) return "";
  const Evaluation& result = *report.evaluation;
  const std::string unit = "nats per " + observation_noun(report.latent);
  std::string rows;
  rows += table_row(
      {"ELBO (lower bound on log p(y))", with_error(result.elbo, result.elbo_error), unit});
  rows += table_row({fmt::format("Importance-weighted bound, {} paths", result.samples),
                     with_error(result.iwae, result.iwae_error), unit});
  rows += table_row({"Reconstruction E[log p(y|X)]", number(result.reconstruction), unit});
  rows += table_row({"Path energy E[E]", number(result.energy), unit});
  rows += table_row({"Effective sample size", fmt::format("{:.1f}", result.ess),
                     fmt::format("of {} paths", result.samples)});
  rows += table_row({"Tail of the weights", tail_text(result), ""});
  const std::string data = report.held_out.count > 0 ? "held-out" : "training";
  const std::string reservation = report.reservation(), others = report.about_others(),
                    warning = tail_warning(result);
  return fmt::format("<h2>Result on {} {} observations</h2>\n", result.observations, data) +
         table_html({"", "mean ± standard error", ""}, rows) +
         (warning.empty() ? "" : fmt::format("<p>Warning: {}.</p>\n", escaped(warning))) +
         (reservation.empty() ? "" : fmt::format("<p>{}.</p>\n", reservation)) +
         (others.empty() ? "" : fmt::format("<p>{}.</p>\n", escaped(others)));
}

std::string comparison(const FitReport& report) {
  if (report.comparison.empty()) return "";
  std::string rows;
  for (const Comparison& model : report.comparison) {
    const bool ours = &model == &report.comparison.back();
    rows += table_row({model.name, with_error(model.elbo, model.elbo_error),
                       with_error(model.iwae, model.iwae_error)},
                      ours ? " class=\"ours\"" : "");
  }
  std::string text = "<h2>Compared with baselines</h2>\n" +
                     table_html({"held out, nats per " + observation_noun(report.latent), "ELBO",
                                 "importance weighted"},
                                rows);
  text += "<p>";
  for (const std::string& line : verdict(report.comparison)) text += escaped(line) + "<br>\n";
  return text + "</p>\n";
}

std::string figures(const FitReport& report) {
  if (!Gnuplot::available())
    return "<p>Figures need gnuplot; install it (Debian: gnuplot-nox) and fit again with "
           "--resume.</p>\n";
  Gnuplot gnuplot;
  std::vector<std::function<std::vector<Figure>()>> parts{
      [&] { return std::vector{training_figure(gnuplot, report)}; },
      [&] {
        return holds_images(report.latent) ? image_figures(gnuplot, report)
                                           : curve_figures(gnuplot, report);
      },
      [&] { return std::vector{path_figure(gnuplot, report)}; }};
  if (report.series != nullptr) {
    parts.resize(1);  // of training
    for (auto& part : series_figures(gnuplot, report)) parts.push_back(std::move(part));
  }
  std::string text;
  for (const auto& part : parts) {
    // A figure that cannot be drawn costs its place in the report, not the fit.
    const auto missing = [&](const char* why) {
      text += fmt::format("<p>A figure could not be drawn: {}</p>\n", escaped(why));
    };
    try {
      for (const Figure& figure : part()) text += figure_html(figure);
    } catch (const Error& error) {
      missing(error.what());
    } catch (const std::bad_alloc&) {
      missing("out of memory");
    }
  }
  return text;
}

std::string settings(const FitReport& report) {
  std::string rows;
  for (const auto& [name, value] : report.settings) rows += table_row({name, value});
  const std::string stopping = report.about_stopping();
  return "<h2>How it was fitted</h2>\n" +
         (stopping.empty() ? "" : fmt::format("<p>Training {}.</p>\n", stopping)) +
         table_html({"setting", "value"}, rows);
}

std::string parameters(const FitReport& report) {
  std::string rows;
  for (const Tensor& tensor : report.parameters.tensors()) {
    std::string shape;
    for (const std::size_t extent : tensor.shape)
      shape += (shape.empty() ? "" : " × ") + std::to_string(extent);
    double squares = 0;
    for (const float value : report.parameters[tensor.name])
      squares += static_cast<double>(value) * value;
    rows +=
        table_row({tensor.name, shape, std::to_string(tensor.size),
                   fmt::format("{:.3g}", std::sqrt(squares / static_cast<double>(tensor.size)))});
  }
  return fmt::format("<details><summary>{} parameters</summary>\n{}</details>\n",
                     report.parameters.size(),
                     table_html({"tensor", "shape", "numbers", "root mean square"}, rows));
}

std::string model(const FitReport& report) {
  return fmt::format(
      "<h2>Model</h2>\n<pre>{}</pre>\n",
      escaped(report.series != nullptr ? to_json(report.series->model) : to_json(report.latent)));
}

std::string data_text(const FitReport& report) {
  const std::size_t count = report.training.count;
  if (report.series != nullptr) return fmt::format("{} series", count);
  return fmt::format("{} {}s", count, observation_noun(report.latent));
}

}  // namespace

std::string FitReport::reservation() const {
  const SolverProperties& solver = properties(latent.model.solver);
  if (solver.exact_weight) return "";
  return fmt::format("With {} these are bounds up to an error that vanishes with the step",
                     solver.name);
}

std::string FitReport::about_others() const {
  if (!evaluation || !others) return "";
  const auto apart = [](double a, double b, double a_error, double b_error) {
    return std::abs(a - b) > std::hypot(a_error, b_error);
  };
  const Evaluation &ours = *evaluation, &theirs = *others;
  if (!apart(ours.elbo, theirs.elbo, ours.elbo_error, theirs.elbo_error) &&
      !apart(ours.iwae, theirs.iwae, ours.iwae_error, theirs.iwae_error))
    return "";
  const auto adjective = [](Fitted fitted) {
    return fitted == Fitted::average ? "averaged" : name(fitted);
  };
  const std::string which = chosen == Fitted::best
                                ? fmt::format("parameters of epoch {}", best_epoch)
                                : fmt::format("{} parameters{}", adjective(chosen),
                                              held_out.count > 0 ? ", the better ones here" : "");
  return fmt::format(
      "These are of the {}; the {} ones{} (--params {}) come to ELBO {}, importance weighted {}",
      which, adjective(other()), chosen == Fitted::best ? " of the end" : "", name(other()),
      with_error(theirs.elbo, theirs.elbo_error), with_error(theirs.iwae, theirs.iwae_error));
}

std::string FitReport::about_stopping() const {
  if (best_epoch == 0) return "";
  const std::string how = stopped_early ? "stopped early after" : "went to the end,";
  return fmt::format(
      "{} epoch {}; the parameters of epoch {} are kept, whose held-out bound is the "
      "best",
      how, history.size(), best_epoch);
}

std::string render_report(const FitReport& report) {
  const Model& sde = report.latent.model;
  const std::string steps =
      report.series != nullptr
          ? fmt::format("steps no longer than {:g} from observation to observation",
                        report.series->model.longest_step)
          : fmt::format("{} Euler–Maruyama steps to time {:g}", sde.grid.size() - 1,
                        sde.grid.back());
  std::string page =
      page_head("Neural SDE fit", fmt::format("A neural SDE fitted to {}", data_text(report)),
                fmt::format("Latent state of {} dimensions, {}, {} parameters", sde.state, steps,
                            report.parameters.size()));
  page += headline(report) + (report.forecasts ? scores_html(*report.forecasts) : "") +
          comparison(report) + figures(report) + settings(report) + model(report) +
          parameters(report);
  return page + "</body></html>\n";
}

}  // namespace ito::cli
