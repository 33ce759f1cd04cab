#include "cli/loss.hpp"

#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <nlohmann/json.hpp>

#include "model/text.hpp"

namespace ito::cli {

Loss parse_loss(const std::string& text) {
  const std::string accepted = R"(an object like {"state": 1, "energy": 0.5, "martingale": 0})";
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || json.empty())
    throw Error("loss", "'" + shortened(text, 60) + "'", accepted);
  Loss loss;
  for (const auto& [key, value] : json.items()) {
    double* weight = key == "state"        ? &loss.state
                     : key == "energy"     ? &loss.energy
                     : key == "martingale" ? &loss.martingale
                                           : nullptr;
    if (weight == nullptr) throw Error("loss", "key '" + shortened(key, 60) + "'", accepted);
    if (!value.is_number() || !std::isfinite(value.get<double>()))
      throw Error("loss", key + " " + shortened(value.dump(), 60), "a finite number there");
    *weight = value.get<double>();
  }
  return loss;
}

template <class Real>
LossValue<Real> evaluate_loss(const Loss& loss, const BasicPaths<Real>& paths, const Model& model) {
  const auto d = static_cast<std::size_t>(model.state);
  const std::size_t n = paths.size(), saves = model.save.size();
  const std::uint64_t finite = n - paths.non_finite();
  if (finite == 0)
    throw Error("ito gradient", "no finite path", "parameters under which some path stays finite");
  const double share = 1.0 / static_cast<double>(finite);

  LossValue<Real> value;
  value.state_cotangent.assign(n * saves * d, Real{0});
  value.energy_cotangent.assign(n, static_cast<Real>(share * loss.energy));
  value.martingale_cotangent.assign(n, static_cast<Real>(share * loss.martingale));
  for (std::size_t i = 0; i < n; ++i) {
    if (paths.status()[i] != 0) continue;  // the adjoint leaves these out as well
    for (std::size_t j = 0; j < d; ++j) {
      const std::size_t last = (i * saves + saves - 1) * d + j;
      const auto x = static_cast<double>(paths.states()[last]);
      value.state += 0.5 * x * x * share;
      value.state_cotangent[last] = static_cast<Real>(share * loss.state * x);
    }
    value.energy += static_cast<double>(paths.energy()[i]) * share;
    value.martingale += static_cast<double>(paths.martingale()[i]) * share;
  }
  value.total =
      loss.state * value.state + loss.energy * value.energy + loss.martingale * value.martingale;
  return value;
}

template LossValue<float> evaluate_loss(const Loss&, const BasicPaths<float>&, const Model&);
template LossValue<double> evaluate_loss(const Loss&, const BasicPaths<double>&, const Model&);

}  // namespace ito::cli
