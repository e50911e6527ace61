# The page is built with the development dependencies; what runs has none of them, no npm, no shell script of its own,
# and writes nothing: start it with a read-only root file system. Postgres, NATS and the carrier are elsewhere.
FROM node:24.21.0-bookworm-slim AS page
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit
COPY dashboard ./dashboard
COPY schema.graphql tsconfig.json ./
RUN node dashboard/build.ts

FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without what is optional there is no embedded Postgres, which production never starts.
RUN npm ci --ignore-scripts --no-audit --omit=dev --omit=optional

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=page /app/dashboard/dist ./dashboard/dist
COPY migrations ./migrations
COPY src ./src
USER 65532:65532
EXPOSE 4000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts"]
