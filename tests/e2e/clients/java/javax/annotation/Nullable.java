package javax.annotation;

/** A stub for JSR 305's annotation, which no JDK has. Generated code needs only its name. */
public @interface Nullable {}
