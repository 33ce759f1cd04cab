#pragma once

/// Everything ito offers.
#include <ito/activation.hpp>
#include <ito/baselines.hpp>
#include <ito/dataset.hpp>
#include <ito/deep_latent_gaussian.hpp>
#include <ito/device.hpp>
#include <ito/error.hpp>
#include <ito/evaluate.hpp>
#include <ito/fit.hpp>
#include <ito/follmer.hpp>
#include <ito/gradient_method.hpp>
#include <ito/latent_model.hpp>
#include <ito/likelihood.hpp>
#include <ito/log_density.hpp>
#include <ito/model.hpp>
#include <ito/multilevel.hpp>
#include <ito/noise.hpp>
#include <ito/parameters.hpp>
#include <ito/plan.hpp>
#include <ito/random_mesh.hpp>
#include <ito/sample.hpp>
#include <ito/sampler.hpp>
#include <ito/solver.hpp>
#include <ito/target.hpp>
#include <ito/version.hpp>
#include <ito/weights.hpp>
