#pragma once

#include <cstddef>
#include <span>

#include <ito/fit.hpp>

namespace ito {

/// Of the two bounds the one that `objective` trains.
double trained_bound(Objective objective, double elbo, double iwae);

/// The number of the epoch whose held-out bound, the one that is trained, no other exceeds, the
/// first of equals; 0 where there is none.
std::size_t best_epoch(std::span<const EpochRecord> history, Objective objective);

/// Whether training is over by `options.patience`: so many epochs in a row were no better. A
/// function of the history alone, so that a resumed run comes to the same answer.
bool out_of_patience(std::span<const EpochRecord> history, const FitOptions& options);

}  // namespace ito
