#pragma once

/// All of the core; <ito/lab/lab.hpp> has what stands on it.
#include <ito/activation.hpp>
#include <ito/averages.hpp>
#include <ito/baselines.hpp>
#include <ito/check.hpp>
#include <ito/dataset.hpp>
#include <ito/deep_latent_gaussian.hpp>
#include <ito/device.hpp>
#include <ito/error.hpp>
#include <ito/evaluate.hpp>
#include <ito/fit.hpp>
#include <ito/gradient_method.hpp>
#include <ito/grid.hpp>
#include <ito/latent_model.hpp>
#include <ito/likelihood.hpp>
#include <ito/log_density.hpp>
#include <ito/model.hpp>
#include <ito/network.hpp>
#include <ito/noise.hpp>
#include <ito/optimizer.hpp>
#include <ito/parameters.hpp>
#include <ito/plan.hpp>
#include <ito/sample.hpp>
#include <ito/solver.hpp>
#include <ito/version.hpp>
#include <ito/weights.hpp>
